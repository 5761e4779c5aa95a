//! The tools, as a program and as their own commands.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::ADMIN_KEY;

/// As `audit_ledger.py` calls them.
const TOOLS: [&str; 2] = ["aics-tlog", "tlog-scales"];

/// Where the tools are installed.
pub(super) struct Auditors(PathBuf);

/// The checks that failed, by tool, in the order of their names.
pub(super) type Denials = BTreeMap<String, String>;

impl Auditors {
    pub(super) fn installed() -> Self {
        let programs = std::env::var_os("VINZY_AUDITORS");
        Self(
            programs
                .expect("run these tests by `cargo xtask conformance`")
                .into(),
        )
    }

    /// Runs every check of both tools. Gives what failed; with `whole`, every event is read.
    pub(super) fn audit(&self, ledger: &str, key: &str, since: &[PathBuf], whole: bool) -> Denials {
        let mut arguments: Vec<OsString> = vec![ledger.into(), "--vkey".into(), key.into()];
        for file in since {
            arguments.extend(["--since".into(), file.into()]);
        }
        if !whole {
            arguments.push("--without-walk".into());
        }
        // Both at once: each is slow and uses one processor.
        let running = TOOLS.map(|tool| {
            let mut script = self.script();
            script.args(&arguments).args(["--tool", tool]);
            script.env("VINZY_API_KEY", ADMIN_KEY);
            script
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        });
        let outputs = running.map(|tool| tool.wait_with_output().unwrap());
        outputs.iter().map(|output| read(output, since, whole)).collect()
    }

    /// Both tools find nothing wrong.
    #[track_caller]
    pub(super) fn accept(&self, ledger: &str, key: &str, since: &[PathBuf], whole: bool) {
        let denials = self.audit(ledger, key, since, whole);
        let denied = denials.values().any(|checks| !checks.is_empty());
        assert!(
            !denied && denials.len() == 2,
            "{ledger}, since {since:?}: {denials:?}"
        );
    }

    /// Who has no API key learns nothing.
    #[track_caller]
    pub(super) fn finds_nothing_out(&self, ledger: &str, key: &str) {
        for tool in TOOLS {
            let mut script = self.script();
            script
                .args([ledger, "--vkey", key, "--tool", tool])
                .env_remove("VINZY_API_KEY");
            let output = script.output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{tool}: {output:?}");
        }
    }

    /// What a command of theirs prints; it must succeed.
    #[track_caller]
    pub(super) fn succeeds(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new(self.0.join(program))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn script(&self) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/audit_ledger.py");
        let mut command = Command::new(self.0.join("python"));
        command.arg("-B").arg(script);
        command
    }
}

/// Reads a tool's line. Every check must have been made, unless there is no checkpoint to believe.
fn read(output: &Output, since: &[PathBuf], whole: bool) -> (String, String) {
    let line = String::from_utf8_lossy(&output.stdout);
    let read = serde_json::from_str(&line);
    let mut checks: BTreeMap<String, String> = read.unwrap_or_else(|_| panic!("{output:?}"));
    let tool = checks.remove("tool").unwrap();
    if checks["checkpoint"] == "ok" {
        for (check, due) in [
            ("walk", whole),
            ("inclusion", true),
            ("consistency", !since.is_empty()),
        ] {
            assert_eq!(checks.contains_key(check), due, "{check}: {line}");
        }
    }
    checks.retain(|_, answer| answer != "ok");
    let denied = !checks.is_empty();
    assert_eq!(output.status.code(), Some(denied.into()), "{output:?}");
    (tool, checks.into_keys().collect::<Vec<_>>().join(" "))
}
