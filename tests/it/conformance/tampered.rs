//! Copies of a ledger that somebody has changed: which of them each tool rejects, by which check, and which it cannot
//! see. `vinzy audit verify` rejects every one that anybody could, and names the position.

use std::path::Path;
use std::sync::Mutex;

use super::auditors::Auditors;
use super::cases::{CHANGED, SIGNED, UNSIGNED};
use super::export::{Copied, Export};
use super::{checkpoint_of, vinzy};

/// A changed copy and what is said of it.
pub(super) struct Case {
    pub(super) what: &'static str,
    pub(super) change: fn(&Copied, &Export),
    /// The kept checkpoint that is shown, by its size.
    pub(super) since: Option<u64>,
    /// The checks that fail: nothing means that the tool cannot see it.
    pub(super) aics_tlog: &'static str,
    pub(super) tlog_scales: &'static str,
    /// What `vinzy audit verify` says; nothing means that it verifies.
    pub(super) vinzy: &'static str,
}

/// Shows every copy to every tool.
pub(super) fn every_copy_is_judged(auditors: &Auditors, export: &Export, kept: &Path) {
    let cases = Mutex::new(CHANGED.iter().chain(&UNSIGNED).chain(&SIGNED));
    let next = || cases.lock().unwrap().next();
    let surprises = Mutex::new(vec![]);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = next() {
                    let surprise = case.judge(auditors, export, kept);
                    surprises.lock().unwrap().extend(surprise);
                }
            });
        }
    });
    let surprises = surprises.into_inner().unwrap();
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

impl Case {
    /// What is not as expected.
    fn judge(&self, auditors: &Auditors, export: &Export, kept: &Path) -> Option<String> {
        let copy = export.copy();
        (self.change)(&copy, export);
        let key = export.key.to_string();
        let since: Vec<_> = self.since.iter().map(|size| checkpoint_of(kept, *size)).collect();
        let denials = auditors.audit(copy.text(), &key, &since, true);

        let mut verify = vinzy();
        verify.args(["audit", "verify", copy.text(), "--vkey", &key]);
        for file in &since {
            verify.arg("--since").arg(file);
        }
        let output = verify.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let expected = Some(i32::from(!self.vinzy.is_empty()));
        let as_expected = denials["aics-tlog"] == self.aics_tlog
            && denials["tlog-scales"] == self.tlog_scales
            && output.status.code() == expected
            && said.contains(self.vinzy);
        (!as_expected).then(|| format!("{}: {denials:?}, vinzy: {} {said}", self.what, output.status))
    }
}
