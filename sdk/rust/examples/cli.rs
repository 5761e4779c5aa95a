//! A command-line program that is licensed: `shrink FILE` is for everybody with a license, `export FILE` for those who
//! paid.
//!
//! ```sh
//! VINZY_SERVER=https://licenses.example.com SHRINK_LICENSE=PRD-… cargo run --example cli --features client -- shrink photo.jpg
//! ```

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use vinzy_client::{LicenseClient, Validation};

const UNLICENSED: u8 = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (command, file) = match &arguments[..] {
        [command, file] if command == "shrink" || command == "export" => (command, file),
        _ => {
            eprintln!("usage: shrink|export FILE");
            return ExitCode::from(2);
        }
    };
    let license = match license().await {
        Ok(license) => license,
        Err(error) => {
            eprintln!("The license could not be checked: {error}");
            return ExitCode::from(UNLICENSED);
        }
    };
    if !license.valid {
        eprintln!("{}", advice(&license));
        return ExitCode::from(UNLICENSED);
    }
    if command == "export" && !license.allows("export") {
        eprintln!("Your license does not include `export`.");
        return ExitCode::from(UNLICENSED);
    }
    println!("{command}: {file} ({})", license.tier);
    ExitCode::SUCCESS
}

async fn license() -> Result<Validation, Box<dyn std::error::Error>> {
    let server = env::var("VINZY_SERVER").unwrap_or_else(|_| "http://localhost:8080".to_owned());
    let client = LicenseClient::builder(server)
        .license_key(env::var("SHRINK_LICENSE").unwrap_or_default())
        .lease_store(state().join("lease.json"))
        .build()?;
    Ok(client.validate(None).await?)
}

/// Where a program keeps what it remembers.
fn state() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".local/state");
    let state = env::var_os("XDG_STATE_HOME").map_or_else(home, PathBuf::from);
    state.join("shrink")
}

/// What a user can do about it.
fn advice(license: &Validation) -> &str {
    match license.code.as_str() {
        "INVALID_KEY" => "The license key is mistyped. Set SHRINK_LICENSE to the key that you were sent.",
        "EXPIRED" => "Your license has expired. Renew it at https://shop.example.com.",
        "SUSPENDED" => "Your license is suspended. Write to support@example.com.",
        "LEASE_MISSING" => {
            "There is no network, and this machine has never been online with a license. Connect once."
        }
        "CLOCK_SET_BACK" => "The clock of this machine is wrong. Set it, and connect once.",
        _ => &license.message,
    }
}
