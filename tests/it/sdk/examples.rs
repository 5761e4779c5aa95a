//! The examples do what they say: the programs as programs, the others as what they are made of.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use vinzy_client::call::Part;
use vinzy_client::calls::{licenses, usage};
use vinzy_client::licenses::{CreateLicense, IssuedLicense, Reason};

use super::{DAY, NOWHERE, Stage};
use crate::support::check_everything;
use crate::support::client::{Client, object};
use crate::support::database::TestDatabase;
use crate::support::node::Node;

#[expect(dead_code, unreachable_pub, reason = "a program of its own")]
#[path = "../../../sdk/rust/examples/agent.rs"]
mod agent;
#[expect(dead_code, unreachable_pub, reason = "a program of its own")]
#[path = "../../../sdk/rust/examples/desktop.rs"]
mod desktop;

use agent::{AgentError, MeteredAgent, echo};
use desktop::{DesktopApp, Window};

/// A server as applications find it, by their own clock.
struct Server {
    node: Node,
    database: TestDatabase,
    customer_id: String,
}

impl Server {
    async fn start() -> Self {
        let database = TestDatabase::create().await;
        let node = Node::on_database(&database.url());
        node.client.product("PRD").await;
        let customer = node.client.customer("jane@example.com").await;
        Self {
            customer_id: customer["id"].as_str().unwrap().to_owned(),
            node,
            database,
        }
    }

    async fn license(&self, entitlements: Value) -> IssuedLicense {
        issue(&self.node.client, &self.customer_id, entitlements, None).await
    }

    async fn finish(self) {
        assert!(self.node.terminate().success());
        check_everything(&self.database).await;
        self.database.drop().await;
    }
}

async fn issue(
    vendor: &Client,
    customer_id: &str,
    entitlements: Value,
    machines_limit: Option<u32>,
) -> IssuedLicense {
    let license = CreateLicense {
        product_code: "PRD".into(),
        customer_id: customer_id.into(),
        entitlements: Some(object(entitlements)),
        machines_limit: machines_limit.map(Some),
        ..CreateLicense::default()
    };
    vendor.admin().send(&licenses::issue(&license)).await.unwrap()
}

/// An example as it was built.
fn program(name: &str) -> Command {
    let beside = Path::new(env!("CARGO_BIN_EXE_vinzy")).parent().unwrap();
    let program: PathBuf = beside.join("examples").join(name);
    assert!(
        program.exists(),
        "build it first: cargo build --workspace --examples"
    );
    Command::new(program)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_program_works_with_a_license_also_offline() {
    let server = Server::start().await;
    let good = server.license(json!({})).await;
    let state = tempfile::tempdir().unwrap();
    let run = |server: &str, key: &str, state: &TempDir, command: &str| {
        let mut program = program("cli");
        program
            .args([command, "photo.jpg"])
            .env("VINZY_SERVER", server)
            .env("SHRINK_LICENSE", key)
            .env("XDG_STATE_HOME", state.path());
        told(&program.output().unwrap())
    };
    let base = server.node.client.base.clone();
    let ran = (
        Some(0),
        "shrink: photo.jpg (standard)\n".to_owned(),
        String::new(),
    );
    assert_eq!(run(&base, &good.key, &state, "shrink"), ran);
    assert_eq!(run(NOWHERE, &good.key, &state, "shrink"), ran);
    let never_online = tempfile::tempdir().unwrap();
    let (status, _, advice) = run(NOWHERE, &good.key, &never_online, "shrink");
    assert_eq!(
        (status, advice.contains("Connect once.")),
        (Some(3), true),
        "{advice}"
    );

    let without = server.license(json!({"export": false})).await;
    assert_eq!(run(&base, &without.key, &state, "shrink"), ran);
    let (status, _, advice) = run(&base, &without.key, &state, "export");
    assert_eq!(
        (status, advice.contains("does not include")),
        (Some(3), true),
        "{advice}"
    );
    let suspend = licenses::suspend(&good.license.id, &Reason::default());
    server.node.client.admin().send(&suspend).await.unwrap();
    let (status, _, advice) = run(&base, &good.key, &state, "shrink");
    assert_eq!(
        (status, advice.contains("support@example.com")),
        (Some(3), true),
        "{advice}"
    );
    // What the server said holds offline, too.
    assert_eq!(run(NOWHERE, &good.key, &state, "shrink").0, Some(3));
    assert_eq!(told(&program("cli").output().unwrap()).0, Some(2));
    server.finish().await;
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The web service, as a process.
struct Service {
    child: Child,
    client: Client,
}

impl Service {
    fn start(server: &str) -> Self {
        let mut child = program("axum_service")
            .arg("127.0.0.1:0")
            .env("VINZY_SERVER", server)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap();
        Self {
            child,
            client: Client::new(address.to_owned()),
        }
    }

    async fn ask(&self, method: reqwest::Method, path: &str, key: &str) -> (u16, Value) {
        let request = self.client.request(method, path).header("X-License-Key", key);
        let answer = crate::support::client::send(request).await;
        (answer.status, answer.body)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_web_service_lets_licenses_in_and_meters_calls() {
    let server = Server::start().await;
    let service = Service::start(&server.node.client.base);
    let report = async |key: &str| service.ask(reqwest::Method::GET, "/reports/sales", key).await;
    let good = server.license(json!({"api_calls": {"limit": 2}})).await;
    let answer = report(&good.key).await;
    assert_eq!(answer, (200, json!({"report": "sales", "tier": "standard"})));
    let (status, body) = report("hello").await;
    assert_eq!((status, &body["code"]), (401, &json!("INVALID_KEY")));
    let answer = service.client.get_anonymously("/reports/sales").await;
    assert_eq!((answer.status, &answer.body["code"]), (401, &json!("NO_KEY")));
    let without = server.license(json!({"export": false})).await;
    let (status, body) = report(&without.key).await;
    assert_eq!((status, &body["code"]), (403, &json!("FEATURE_MISSING")));

    let mut answers = vec![];
    for _ in 0..3 {
        answers.push(service.ask(reqwest::Method::POST, "/calls", &good.key).await);
    }
    let statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(answers[0].1, json!({"remaining": 1}));
    assert_eq!(answers[2].1["code"], "LIMIT_EXCEEDED");
    let totals = usage::totals(&good.license.id, None, &Part::default());
    let totals = server.node.client.admin().send(&totals).await.unwrap();
    assert_eq!(totals.rows[0].total_value.as_str(), "2");
    drop(service);
    server.finish().await;
}

fn desktop(stage: &Stage, url: &str, key: &str, state: &Path, jwks: &str, machine: &str) -> DesktopApp {
    let clock = stage.clock.clone();
    let clock = move || Duration::from_micros(clock.now().as_micros().try_into().unwrap());
    let settings = stage.at(url).license_key(key).lease_store(state);
    DesktopApp::new(settings, jwks, machine, Arc::new(clock)).unwrap()
}

fn shown(window: Window) -> (String, String) {
    (window.title, window.notice)
}

#[tokio::test]
async fn the_desktop_application_survives_a_week_offline() {
    let stage = Stage::set().await;
    let jwks = stage.jwks().await;
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("lease.json");
    let start = async |url: &str, machine: &str| {
        let app = desktop(&stage, url, &stage.key, &state, &jwks, machine);
        shown(app.start().await.unwrap())
    };
    let unlicensed = |notice: &str| ("Unlicensed".to_owned(), notice.to_owned());

    assert_eq!(
        start(stage.url(), "laptop").await,
        ("Paint (standard)".into(), String::new())
    );
    let machines = stage
        .admin()
        .all(|part| licenses::machines(&stage.id, part))
        .await
        .unwrap();
    assert_eq!((machines.len(), machines[0].fingerprint.as_str()), (1, "laptop"));
    let mut notices = vec![];
    stage.sleep(Duration::from_hours(1));
    for _ in 0..7 {
        stage.sleep(DAY);
        let (title, notice) = start(NOWHERE, "laptop").await;
        assert_eq!(title, "Paint (standard)");
        notices.push(notice);
    }
    assert_eq!(notices[0], "Offline: connect within 6 days");
    assert_eq!(notices[6], "Offline: connect within 0 days");
    assert_eq!(start(NOWHERE, "another machine").await.0, "Unlicensed");
    stage.sleep(DAY);
    let expired = unlicensed("The lease has expired: connect once to go on.");
    assert_eq!(start(NOWHERE, "laptop").await, expired);
    stage.set_back(3 * DAY);
    let set_back = unlicensed("The clock was set back: connect once to go on.");
    assert_eq!(start(NOWHERE, "laptop").await, set_back);
    stage.app.finish().await;
}

#[tokio::test]
async fn the_desktop_application_takes_a_seat() {
    let stage = Stage::set().await;
    let jwks = stage.jwks().await;
    let directory = tempfile::tempdir().unwrap();
    let customer = stage
        .admin()
        .send(&licenses::get(&stage.id, None))
        .await
        .unwrap()
        .customer_id;
    let key = issue(&stage.app.client, &customer, json!({}), Some(1)).await.key;
    let mut titles = vec![];
    for machine in ["laptop", "phone", "laptop"] {
        let app = desktop(
            &stage,
            stage.url(),
            &key,
            &directory.path().join(machine),
            &jwks,
            machine,
        );
        titles.push(app.start().await.unwrap().title);
    }
    assert_eq!(titles, ["Paint (standard)", "Unlicensed", "Paint (standard)"]);
    stage.app.finish().await;
}

#[tokio::test]
async fn the_agent_stays_within_its_budget() {
    let stage = Stage::set().await;
    let customer = stage
        .admin()
        .send(&licenses::get(&stage.id, None))
        .await
        .unwrap()
        .customer_id;
    let budget = json!({"agents": {"CTO": {"token_limit": 20}}});
    let license = issue(&stage.app.client, &customer, budget, None).await;
    let client = stage.client().with_key(&license.key);
    let agent = MeteredAgent::new(client.clone(), "CTO");
    let out_of_tokens = |answer: Result<String, AgentError>| match answer {
        Err(AgentError::OutOfTokens(why)) => why,
        other => panic!("{other:?}"),
    };

    assert_eq!(
        agent.ask("1", "twelve chars", echo).await.unwrap(),
        "TWELVE CHARS"
    );
    // The same task: counted once.
    assert_eq!(
        agent.ask("1", "twelve chars", echo).await.unwrap(),
        "TWELVE CHARS"
    );
    assert_eq!(
        out_of_tokens(agent.ask("2", "more than eight", echo).await),
        "15 tokens, 8 left"
    );
    assert_eq!(agent.ask("3", "8 chars.", echo).await.unwrap(), "8 CHARS.");
    out_of_tokens(agent.ask("4", "x", echo).await);
    out_of_tokens(MeteredAgent::new(client, "CFO").ask("5", "x", echo).await);
    let totals = stage
        .admin()
        .all(|part| usage::totals(&license.license.id, None, part))
        .await
        .unwrap();
    assert_eq!(totals[0].total_value.as_str(), "20");
    stage.app.finish().await;
}
