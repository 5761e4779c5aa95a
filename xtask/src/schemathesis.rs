//! The running server against its own description, by schemathesis (`schemathesis.toml` says what it must know).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::python;
use crate::shell::{root, run as run_program, succeeds, target};

const VERSION: &str = "4.32.5";
const ADMIN_KEY: &str = "the-admins-key-for-schemathesis";
const SUPER_ADMIN_KEY: &str = "another-key-for-schemathesis";
/// Licenses that exist, and machines on each: tests delete some.
const SEEDS: usize = 5;

/// How much is tried.
#[derive(clap::Args)]
pub(crate) struct Extent {
    /// Cases for each operation and phase, at most
    #[arg(long, default_value_t = 50)]
    max_examples: u32,
    /// Where randomness starts from: the same gives the same cases
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Further arguments for `schemathesis run`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Default for Extent {
    fn default() -> Self {
        Self {
            max_examples: 50,
            seed: 1,
            arguments: vec![],
        }
    }
}

/// Starts a server with a few records and tries every operation on it; fails if anything is found. The server must have
/// been built.
pub(crate) fn run(extent: &Extent) -> Result<()> {
    let program = program()?;
    let server = Server::start()?;
    let mut command = Command::new(program);
    command
        .args([
            "run",
            "--phases",
            "examples,coverage,fuzzing,stateful",
            "--checks",
            "all",
        ])
        .args(["--continue-on-failure", "--no-color"])
        .args(["--max-examples", &extent.max_examples.to_string()])
        .args(["--seed", &extent.seed.to_string()])
        .args(&extent.arguments)
        .arg(format!("http://{}/openapi.json", server.address))
        .env("VINZY_API_KEY", ADMIN_KEY)
        .env("VINZY_SUPER_ADMIN_KEY", SUPER_ADMIN_KEY)
        .env(
            "HYPOTHESIS_STORAGE_DIRECTORY",
            root().join("target/schemathesis/hypothesis"),
        )
        .current_dir(root());
    server.seed()?.write()?;
    let tried = run_program(&mut command);
    println!("    the server's log: {}", server.log.display());
    tried
}

/// The program, installed once for this workspace.
fn program() -> Result<PathBuf> {
    let package = format!("schemathesis=={VERSION}");
    let programs = python::environment(&format!("schemathesis-{VERSION}"), (3, 11), &[&package])?;
    Ok(programs.join("schemathesis"))
}

/// A running server on a database of its own. Dropping it ends both.
struct Server {
    child: Child,
    /// Held, because a server that cannot write its greeting to the end gives up.
    _greeting: BufReader<ChildStdout>,
    directory: PathBuf,
    address: String,
    log: PathBuf,
}

impl Server {
    fn start() -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("vinzy-schemathesis-{}", std::process::id()));
        let log = target().join("schemathesis-server.log");
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut child = Command::new(target().join("debug/vinzy"))
            .args(["serve", "--port", &address.port().to_string(), "--data-dir"])
            .arg(&directory)
            .env("VINZY_DB_URL", "")
            .env("VINZY_API_KEY", ADMIN_KEY)
            .env("VINZY_SUPER_ADMIN_KEY", SUPER_ADMIN_KEY)
            .env("VINZY_RATE_LIMIT_ENABLED", "false")
            .env("VINZY_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .context("`vinzy serve` could not be started")?;
        let mut greeting = BufReader::new(child.stdout.take().context("its output is piped")?);
        let mut first = String::new();
        let read = greeting.read_line(&mut first);
        let server = Self {
            child,
            _greeting: greeting,
            directory,
            address: address.to_string(),
            log,
        };
        read?;
        let log = server.log.display();
        ensure!(first.contains("ready"), "`vinzy serve` did not start: see {log}");
        Ok(server)
    }

    /// Makes records for requests to name.
    fn seed(&self) -> Result<Known> {
        let mut known = Known::default();
        let limit = json!({"limit": 1000});
        let product = json!({"code": "PRD", "name": "Product", "features": {"export": true, "calls": limit}});
        known.note("products", &self.post("/products", &product)?["id"]);
        for index in 0..SEEDS {
            let customer = json!({"name": "Jane", "email": format!("jane{index}@example.com")});
            let customer = self.post("/customers", &customer)?;
            known.note("customers", &customer["id"]);
            let license = json!({"product_code": "PRD", "customer_id": customer["id"]});
            let license = self.post("/licenses", &license)?;
            known.note("licenses", &license["id"]);
            known.note("keys", &license["key"]);
            let machine = json!({"key": license["key"], "fingerprint": "laptop"});
            known.note("machines", &self.post("/activate", &machine)?["machine_id"]);
            for value in [1, 1, 1, 500] {
                let usage = json!({"key": license["key"], "metric": "calls", "value": value});
                self.post("/usage/record", &usage)?;
            }
            let key = json!({"name": "key", "scopes": ["read"]});
            known.note("api_keys", &self.post("/api-keys", &key)?["id"]);
            let webhook = self.post("/webhooks", &json!({"url": "https://hooks.invalid/"}))?;
            known.note("endpoints", &webhook["id"]);
            let path = format!(
                "/webhooks/{}/test",
                webhook["id"].as_str().context("an id is text")?
            );
            known.note("deliveries", &self.post(&path, &json!({}))?["id"]);
            let tenant = json!({"name": "Tenant", "slug": format!("tenant{index}")});
            let tenant = self.post_as(SUPER_ADMIN_KEY, "/tenants", &tenant)?;
            known.note("tenants", &tenant["id"]);
        }
        Ok(known)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.post_as(ADMIN_KEY, path, body)
    }

    fn post_as(&self, key: &str, path: &str, body: &Value) -> Result<Value> {
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nX-Vinzy-Api-Key: {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 2"), "POST {path}: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").context("an answer has a body")?;
        Ok(serde_json::from_str(body)?)
    }
}

/// What exists: quoted ids and keys by kind, a line each.
#[derive(Default)]
struct Known(BTreeMap<&'static str, String>);

impl Known {
    fn note(&mut self, kind: &'static str, text: &Value) {
        self.0.entry(kind).or_default().push_str(&format!("{text}\n"));
    }

    /// Writes the files that `schemathesis.toml` names.
    fn write(&self) -> Result<()> {
        let directory = root().join("target/schemathesis");
        std::fs::create_dir_all(&directory)?;
        for (kind, lines) in &self.0 {
            std::fs::write(directory.join(format!("{kind}.txt")), lines)?;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It stops its database only when it is asked to end.
        succeeds(Command::new("kill").arg(self.child.id().to_string()));
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
