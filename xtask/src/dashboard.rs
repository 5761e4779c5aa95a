//! The dashboard, from its sources to the files that the server embeds (`frontend/dist`).
//!
//! Names hold a hash of what is in a file, so that browsers may keep it for good; each file has a brotli and a gzip
//! twin. The page itself, `index.html`, has no script and no style of its own, as its security policy demands.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::shell::{root, run, succeeds, target};
use crate::{npm, setup, wasm};

/// A crate that becomes WebAssembly.
struct Part {
    package: &'static str,
    /// What its files are called.
    stem: &'static str,
    /// The profile of what users get.
    profile: &'static str,
    /// What `wasm-opt` goes for.
    level: &'static str,
}

/// What everybody fetches first: small.
const APPLICATION: Part = Part {
    package: "vinzy-dashboard",
    stem: "app",
    profile: "web",
    level: "-Oz",
};

/// What is fetched when it is wanted, and has much to do then: fast.
const VERIFIER: Part = Part {
    package: "vinzy-verifier",
    stem: "verifier",
    profile: "web-fast",
    level: "-O3",
};

const PARTS: [Part; 2] = [APPLICATION, VERIFIER];

/// How much to take care of size.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// What users get.
    Small,
    /// For whoever works on it: built within seconds, and large.
    Quick,
}

impl Build {
    const fn profile(self, part: &Part) -> &'static str {
        match self {
            Self::Small => part.profile,
            Self::Quick => "web-quick",
        }
    }
}

/// Builds the dashboard into `frontend/dist`. Does nothing if that is what is there.
pub(crate) fn build(build: Build) -> Result<()> {
    compile(build)?;
    let stamp = stamp(build)?;
    let dist = root().join("frontend/dist");
    if fs::read_to_string(dist.join(STAMP)).is_ok_and(|is| is == stamp) {
        return Ok(());
    }
    let fresh = target().join("web/dist");
    let _ = fs::remove_dir_all(&fresh);
    fs::create_dir_all(fresh.join("assets"))?;
    let site = Site { fresh: &fresh, build };
    let style = site.asset("app", "css", &style()?)?;
    let icon = site.asset("icon", "svg", &fs::read(assets().join("icon.svg"))?)?;
    let application = site.program(&APPLICATION)?;
    let verifier = site.program(&VERIFIER)?;
    let fetcher = site.asset("fetch", "js", &fs::read(assets().join("fetcher.js"))?)?;
    let worker = verifier
        .named_in(&fs::read_to_string(assets().join("verifier.js"))?)
        .replace("{fetcher}", &fetcher);
    let worker = site.asset("verify", "js", worker.as_bytes())?;
    let boot = application
        .named_in(&fs::read_to_string(assets().join("boot.js"))?)
        .replace("{verifier}", &worker);
    let boot = site.asset("boot", "js", boot.as_bytes())?;
    let page = application
        .named_in(&fs::read_to_string(assets().join("index.html"))?)
        .replace("{style}", &style)
        .replace("{icon}", &icon)
        .replace("{boot}", &boot);
    fs::write(fresh.join("index.html"), page)?;
    fs::write(fresh.join(STAMP), stamp)?;
    let _ = fs::remove_dir_all(&dist);
    copy(&fresh, &dist)?;
    let first = [&style, &application.script, &application.program, &boot];
    let size = first
        .iter()
        .map(|name| fs::metadata(dist.join("assets").join(format!("{name}.br"))))
        .try_fold(0, |sum, file| file.map(|file| sum + file.len()))?;
    println!(
        "    frontend/dist: first load {} KB compressed",
        size.div_ceil(1024)
    );
    Ok(())
}

/// Compiles all parts. Those of one profile together: what they share is compiled once.
fn compile(build: Build) -> Result<()> {
    let mut profiles: Vec<&str> = PARTS.iter().map(|part| build.profile(part)).collect();
    profiles.dedup();
    for profile in profiles {
        let mut arguments = vec!["--quiet", "--profile", profile];
        for part in PARTS.iter().filter(|part| build.profile(part) == profile) {
            arguments.extend(["-p", part.package]);
        }
        run(&mut wasm::command("build", &arguments)?)?;
    }
    Ok(())
}

const STAMP: &str = "built-from.txt";

/// What the files were made from.
fn stamp(build: Build) -> Result<String> {
    let mut hash = Sha256::new();
    let mut sources = vec![assets()];
    sources.extend(PARTS.iter().map(|part| compiled(build, part)));
    while let Some(source) = sources.pop() {
        if source.is_dir() {
            let mut entries: Vec<_> = fs::read_dir(&source)?
                .flatten()
                .map(|entry| entry.path())
                .collect();
            entries.sort();
            sources.extend(entries);
        } else {
            hash.update(fs::read(&source).with_context(|| format!("{} is missing", source.display()))?);
        }
    }
    let how = match build {
        Build::Quick => "quick".to_owned(),
        Build::Small if optimizer().is_some() => format!("small, by wasm-opt {BINARYEN}"),
        Build::Small => "small".to_owned(),
    };
    Ok(format!("{} {how}\n", hex(&hash.finalize())))
}

/// The files in the making.
struct Site<'a> {
    fresh: &'a Path,
    build: Build,
}

/// Names of a program's files.
struct Program {
    script: String,
    program: String,
}

impl Program {
    /// A text in which its files are named.
    fn named_in(&self, text: &str) -> String {
        text.replace("{script}", &self.script)
            .replace("{program}", &self.program)
    }
}

impl Site<'_> {
    /// Writes a file whose name says what is in it, and its compressed twins. Gives the name.
    fn asset(&self, stem: &str, ending: &str, content: &[u8]) -> Result<String> {
        let name = format!("{stem}-{}.{ending}", &hex(&Sha256::digest(content))[..16]);
        let path = self.fresh.join("assets").join(&name);
        fs::write(&path, content)?;
        let small = self.build == Build::Small;
        let parameters = BrotliEncoderParams {
            quality: if small { 11 } else { 3 },
            ..BrotliEncoderParams::default()
        };
        let mut brotli = vec![];
        brotli::BrotliCompress(&mut &*content, &mut brotli, &parameters)?;
        fs::write(with_ending(&path, "br"), brotli)?;
        let level = if small {
            Compression::best()
        } else {
            Compression::fast()
        };
        let mut gzip = GzEncoder::new(vec![], level);
        gzip.write_all(content)?;
        fs::write(with_ending(&path, "gz"), gzip.finish()?)?;
        Ok(name)
    }

    /// Makes a compiled crate into something that a browser runs.
    fn program(&self, part: &Part) -> Result<Program> {
        let stem = part.stem;
        let bound = target().join("web/bound").join(stem);
        let _ = fs::remove_dir_all(&bound);
        Bindgen::new()
            .input_path(compiled(self.build, part))
            .out_name(stem)
            .web(true)?
            .typescript(false)
            .omit_default_module_path(true)
            .remove_name_section(self.build == Build::Small)
            .remove_producers_section(true)
            .generate(&bound)?;
        let program = bound.join(format!("{stem}_bg.wasm"));
        if self.build == Build::Small {
            optimize(&program, part.level)?;
        }
        Ok(Program {
            program: self.asset(stem, "wasm", &fs::read(&program)?)?,
            script: self.asset(stem, "js", &fs::read(bound.join(format!("{stem}.js")))?)?,
        })
    }
}

/// All style sheets as one: what is common first, then each area's.
fn style() -> Result<Vec<u8>> {
    let mut files: Vec<_> = fs::read_dir(assets().join("css"))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension() == Some(OsStr::new("css")))
        .collect();
    files.sort();
    let mut style = vec![];
    for file in files {
        style.extend(fs::read(file)?);
    }
    Ok(style)
}

/// Of `wasm-opt`. Debian's is of another time: what it makes of a table of references, no browser takes.
const BINARYEN: &str = "132.0.0";

/// Makes a program smaller, where that is possible.
fn optimize(program: &Path, level: &str) -> Result<()> {
    let Some(optimizer) = optimizer() else {
        println!(
            "    no Node.js, or no way to npm, for wasm-opt: the dashboard is about a tenth larger (Debian, Ubuntu: \
             apt-get install nodejs)"
        );
        return Ok(());
    };
    run(Command::new("node")
        .arg(optimizer)
        .args([
            level,
            "--enable-bulk-memory",
            "--enable-mutable-globals",
            "--enable-nontrapping-float-to-int",
            "--enable-sign-ext",
            "--enable-reference-types",
            "--enable-multivalue",
        ])
        .arg(program)
        .arg("-o")
        .arg(program))
}

/// `wasm-opt`, which Node.js runs.
fn optimizer() -> Option<PathBuf> {
    let has_node = || succeeds(Command::new("node").arg("--version"));
    if !has_node() {
        setup::install(&["nodejs"]).ok().filter(|()| has_node())?;
    }
    Some(npm::package("binaryen", BINARYEN).ok()?.join("bin/wasm-opt"))
}

/// Cargo names programs as their package is called, libraries as Rust can.
fn compiled(build: Build, part: &Part) -> PathBuf {
    let package = part.package;
    let built = wasm::built(build.profile(part));
    let program = built.join(format!("{package}.wasm"));
    if program.exists() {
        program
    } else {
        built.join(format!("{}.wasm", package.replace('-', "_")))
    }
}

fn assets() -> PathBuf {
    root().join("frontend/assets")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)?.flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)
                .with_context(|| format!("{} cannot be written", target.display()))?;
        }
    }
    Ok(())
}
