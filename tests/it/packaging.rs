//! What the program comes in: image, compose file, service, package, completions and manual pages. What they say is held
//! against the program; the tools that would use them are asked where they are installed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::database::TestDatabase;
use crate::support::node::{Node, on_database, vinzy};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn yaml(file: &str) -> Value {
    serde_saphyr::from_str(&text(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn is_installed(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    found.is_ok_and(|status| status.success())
}

/// Words that look like a setting's variable.
fn variables(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
        .filter(|word| word.starts_with("VINZY_"))
        .map(str::to_owned)
        .collect()
}

/// The variables that the program reads.
fn known() -> BTreeSet<String> {
    let mut known = BTreeSet::from(["VINZY_CONFIG".to_owned()]);
    for command in ["serve", "health"] {
        let output = vinzy().args([command, "--help"]).output().unwrap();
        assert!(output.status.success());
        known.extend(variables(&String::from_utf8(output.stdout).unwrap()));
    }
    known
}

#[test]
fn every_variable_that_is_set_is_one_that_the_program_reads() {
    let known = known();
    for file in [
        "Dockerfile",
        "compose.yaml",
        "packaging/vinzy.service",
        "packaging/debian/postinst",
    ] {
        let unknown: Vec<String> = variables(&text(file)).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{file} sets {unknown:?}");
    }
}

/// The keys of a mapping, all of which must be among `allowed`.
#[track_caller]
fn keys<'a>(value: &'a Value, allowed: &[&str]) -> Vec<&'a str> {
    let mapping = value.as_object().unwrap_or_else(|| panic!("no mapping: {value}"));
    for key in mapping.keys() {
        assert!(allowed.contains(&key.as_str()), "{key} is not known here");
    }
    mapping.keys().map(String::as_str).collect()
}

#[test]
fn the_compose_file_holds_together() {
    let compose = yaml("compose.yaml");
    keys(&compose, &["services", "volumes"]);
    let services = compose["services"].as_object().unwrap();
    let volumes = compose["volumes"].as_object().unwrap();
    assert_eq!(services.keys().collect::<Vec<_>>(), ["database", "vinzy"]);
    let mut mounted = BTreeSet::new();
    for (name, service) in services {
        keys(
            service,
            &[
                "build",
                "image",
                "depends_on",
                "env_file",
                "environment",
                "ports",
                "volumes",
                "restart",
                "stop_grace_period",
                "read_only",
                "tmpfs",
                "cap_drop",
                "security_opt",
                "healthcheck",
                "shm_size",
            ],
        );
        assert!(
            service["image"].is_string() || service["build"].is_string(),
            "{name}"
        );
        for (variable, value) in service["environment"].as_object().unwrap() {
            assert!(value.is_string(), "{name} {variable} is {value}");
        }
        for volume in service["volumes"].as_array().unwrap() {
            let (volume, path) = volume.as_str().unwrap().split_once(':').unwrap();
            assert!(volumes.contains_key(volume), "{name} mounts {volume}");
            assert!(path.starts_with('/'), "{name} {path}");
            mounted.insert(volume.to_owned());
        }
        let waits = service["depends_on"].as_object().into_iter().flatten();
        for (other, condition) in waits {
            assert_eq!(condition["condition"], "service_healthy");
            assert!(
                services[other]["healthcheck"]["test"].is_array(),
                "{other} has no check"
            );
        }
    }
    assert_eq!(mounted.len(), volumes.len(), "a volume is not used");
    let server = &services["vinzy"];
    assert_eq!(server["read_only"], true);
    let port = server["ports"][0].as_str().unwrap();
    assert!(
        port.starts_with("127.0.0.1:") && port.ends_with(":8080"),
        "{port}"
    );
    let url = server["environment"]["VINZY_DB_URL"].as_str().unwrap();
    assert!(url.contains("@database/vinzy"), "{url}");
    assert_eq!(services["database"]["environment"]["POSTGRES_DB"], "vinzy");
}

#[test]
fn the_image_runs_as_nobody_in_particular_and_says_how_it_is() {
    let text = text("Dockerfile").replace("\\\n", " ");
    let stages: Vec<&str> = text.split("\nFROM ").skip(1).collect();
    assert_eq!(stages.len(), 2);
    assert!(stages[0].starts_with("rust:1.94-bookworm AS build"));
    let image = stages[1];
    assert!(
        image.starts_with("debian:bookworm-slim"),
        "the C library of where it was built"
    );
    let lines: Vec<&str> = image.lines().collect();
    let of = |word: &str| -> Vec<&str> {
        lines
            .iter()
            .filter_map(|line| line.strip_prefix(word).map(str::trim))
            .collect()
    };
    let user = of("USER ");
    assert!(
        user.len() == 1 && user[0].parse::<u32>().is_ok_and(|uid| uid > 0),
        "{user:?}"
    );
    assert_eq!(of("COPY "), ["--from=build /out/vinzy /usr/local/bin/vinzy"]);
    assert!(of("HEALTHCHECK ")[0].ends_with(r#"CMD ["vinzy", "health"]"#));
    assert_eq!(
        (of("ENTRYPOINT "), of("CMD ")),
        (vec![r#"["vinzy"]"#], vec![r#"["serve"]"#])
    );
    // As the workspace's rust-version, which the build must not fall behind.
    assert!(self::text("Cargo.toml").contains("rust-version = \"1.94\""));
    let ignored = self::text(".dockerignore");
    for place in ["/target", "/data", "/.env", "/frontend/dist"] {
        assert!(
            ignored.lines().any(|line| line == place),
            "{place} goes into the image"
        );
    }
}

#[test]
fn continuous_integration_runs_the_command_of_the_readme() {
    let workflow = yaml(".github/workflows/ci.yml");
    keys(&workflow, &["name", "on", "permissions", "concurrency", "jobs"]);
    assert_eq!(workflow["permissions"]["contents"], "read");
    let steps = workflow["jobs"]["test"]["steps"].as_array().unwrap();
    for step in steps {
        assert!(step["uses"].is_string() != step["run"].is_string(), "{step}");
    }
    let command = "cargo xtask test";
    assert!(steps.iter().any(|step| step["run"] == command));
    assert!(text("README.md").contains(command) && text(".ci/run").contains(command));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_with_the_packages_settings() {
    let database = TestDatabase::create().await;
    let node = {
        let mut command = vinzy();
        on_database(&mut command, &database.url())
            .arg("serve")
            .arg("--config")
            .arg(root().join("packaging/vinzy.toml"));
        Node::start(&mut command)
    };
    node.client.get_anonymously("/health").await.expect(200);
    let settings = node.client.with_key(&crate::support::SUPER_ADMIN_KEY.into());
    let settings = settings.get("/settings").await.expect(200);
    let shown = settings.to_string();
    assert!(shown.contains("production"), "{shown}");
    assert!(node.terminate().success());
    database.drop().await;
}

/// The unit as it is, but for paths of this machine.
fn unit(directory: &Path) -> PathBuf {
    let unit = text("packaging/vinzy.service");
    assert!(unit.contains("\nExecStart=/usr/bin/vinzy serve\n"));
    let unit = unit.replace("/usr/bin/vinzy", env!("CARGO_BIN_EXE_vinzy"));
    let path = directory.join("vinzy.service");
    std::fs::write(&path, unit).unwrap();
    path
}

#[test]
fn the_service_is_one_that_systemd_takes_and_calls_safe() {
    let unit_text = text("packaging/vinzy.service");
    for line in [
        "User=vinzy",
        "NoNewPrivileges=true",
        "ProtectSystem=strict",
        "StateDirectory=vinzy",
    ] {
        assert!(unit_text.lines().any(|other| other == line), "{line}");
    }
    if !is_installed("systemd-analyze") {
        println!("skipped: systemd-analyze is not installed");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let unit = unit(directory.path());
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&unit)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    // Other units of this machine are looked at, too.
    let own: Vec<&str> = said.lines().filter(|line| line.contains("vinzy")).collect();
    assert!(own.is_empty(), "{own:#?}");
    // 0 is safe, 10 is not; it says medium from 5 on.
    let judged = Command::new("systemd-analyze")
        .args(["security", "--no-pager", "--offline=true", "--threshold=25"])
        .arg(&unit)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&judged.stdout);
    assert!(
        judged.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&judged.stderr)
    );
}

#[test]
fn completions_are_scripts_that_know_the_commands() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = vinzy().args(["completions", shell]).output().unwrap();
        assert!(output.status.success(), "{shell}");
        let script = String::from_utf8(output.stdout).unwrap();
        for word in ["serve", "replay", "db-url", "distribute"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
        let path = directory.path().join(shell);
        std::fs::write(&path, script).unwrap();
        if is_installed(shell) && shell != "elvish" && shell != "powershell" {
            let checked = Command::new(shell).arg("-n").arg(&path).status().unwrap();
            assert!(checked.success(), "{shell} does not take its script");
        }
    }
    let unknown = vinzy().args(["completions", "cobol"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn every_command_has_a_manual_page_without_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("man1");
    let written = vinzy()
        .arg("man")
        .arg(&place)
        .env("VINZY_API_KEY", "of-this-machine")
        .env("VINZY_LOG", "of-this-machine")
        .output()
        .unwrap();
    assert!(
        written.status.success(),
        "{}",
        String::from_utf8_lossy(&written.stderr)
    );
    let help = vinzy().arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(
        commands.contains(&"serve") && commands.contains(&"man"),
        "{commands:?}"
    );
    for command in commands {
        let page = place.join(format!("vinzy-{command}.1"));
        let page =
            std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(page.contains(".SH SYNOPSIS"), "{command}");
        assert!(!page.contains("of-this-machine"), "{command}");
    }
    assert!(place.join("vinzy.1").exists());
    let refused = vinzy().args(["man", "/proc/vinzy"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("/proc/vinzy"));
}

#[test]
fn the_packages_scripts_are_scripts_and_make_the_services_user() {
    for script in ["postinst", "prerm", "postrm"] {
        let path = root().join("packaging/debian").join(script);
        let checked = Command::new("sh").arg("-n").arg(&path).status().unwrap();
        assert!(checked.success(), "{script}");
        let script_text = std::fs::read_to_string(&path).unwrap();
        assert!(script_text.starts_with("#!/bin/sh\n"), "{script}");
        assert!(
            script_text.contains("\nset -e\n"),
            "{script} goes on after failures"
        );
        assert!(script_text.ends_with("\n#DEBHELPER#\n"), "{script}");
    }
    let made = text("packaging/debian/postinst");
    assert!(made.contains("adduser --system --group") && made.contains(" vinzy\n"));
    let manifest: Value =
        serde_json::to_value(toml::from_str::<toml::Table>(&text("Cargo.toml")).unwrap()).unwrap();
    let deb = &manifest["package"]["metadata"]["deb"];
    for asset in deb["assets"].as_array().unwrap() {
        let source = asset[0].as_str().unwrap();
        let is_made = source.starts_with("target/") || source.contains('*');
        assert!(is_made || root().join(source).exists(), "{source}");
    }
    assert!(deb["depends"].as_str().unwrap().contains("adduser"));
}
