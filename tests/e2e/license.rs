//! The page of a license: what can be done to it, what it allows, who uses it, and what happened to it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::TestApp;

const DAY: Duration = Duration::from_hours(24);

fn path_of(license: &Value) -> String {
    format!("/licenses/{}", license["id"].as_str().unwrap())
}

/// The value that stands beside a name at the head of the page.
fn detail(name: &str, value: &str) -> String {
    format!("//dl/div[dt[normalize-space(.) = '{name}']]/dd[contains(normalize-space(.), '{value}')]")
}

async fn names_of_actions(browser: &Browser) -> Vec<String> {
    let script = "return [...document.querySelectorAll('.page-head .actions button')].map(button => button.textContent.trim())";
    let names = browser.run(script).await;
    names
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_license_is_edited() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let path = path_of(&license);
    let browser = Browser::logged_in(&app, &path).await;
    browser.is_at("PRD license").await;
    browser.sees("Valid: applications that ask are let in.").await;
    browser.find(&detail("Customer", "Jane Doe")).await;
    browser.find(&detail("Machines", "0 of 3")).await;
    browser.press("Edit").await;
    browser.fill("Machines", "0").await;
    browser
        .sees("must be a whole number of at least 1, or empty")
        .await;
    browser.fill("Tier", "pro").await;
    browser.fill("Machines", "5").await;
    browser.set("Ends", "2027-06-01T12:00").await;
    browser
        .click("//fieldset[legend = 'Overrides']//button[contains(., 'Add a feature')]")
        .await;
    browser.fill("Feature", "api_calls").await;
    browser.choose("How it is allowed", "Limited").await;
    browser.fill("Limit", "2000").await;
    browser.fill("Metadata", r#"{"plan": "gold"}"#).await;
    browser.look("license-edit").await;
    browser.look_narrow("license-edit").await;
    let ends = browser
        .run("return new Date('2027-06-01T12:00').toISOString()")
        .await;
    browser.press("Save").await;
    browser.sees("License saved").await;
    browser.find(&detail("Tier", "pro")).await;
    browser.sees("2,000").await;
    let changed = app.client.get(&path).await.expect(200);
    assert_eq!(
        (&changed["tier"], &changed["machines_limit"], &changed["metadata"]),
        (&json!("pro"), &json!(5), &json!({"plan": "gold"}))
    );
    assert_eq!(changed["entitlements"], json!({"api_calls": {"limit": 2000}}));
    assert_eq!(
        changed["features"], license["features"],
        "what was not touched stays"
    );
    assert_eq!(
        changed["expires_at"].as_str().unwrap()[..19],
        ends.as_str().unwrap()[..19]
    );

    browser.press("Edit").await;
    browser.fill("Machines", "").await;
    browser.set("Ends", "").await;
    browser.press("Save").await;
    browser.find(&detail("Ends", "Never")).await;
    browser.find(&detail("Machines", "without a limit")).await;
    let changed = app.client.get(&path).await.expect(200);
    assert_eq!(
        (&changed["expires_at"], &changed["machines_limit"]),
        (&Value::Null, &Value::Null)
    );
    browser.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn a_license_is_suspended_reinstated_renewed_revoked_and_deleted() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let path = path_of(&license);
    let browser = Browser::logged_in(&app, &path).await;
    let now = async || app.client.get(&path).await.expect(200);

    browser.press("Suspend").await;
    browser.fill("Reason", "unpaid").await;
    browser.look("license-suspend").await;
    browser.press("Suspend license").await;
    browser
        .sees("Paused: applications are refused until it is reinstated.")
        .await;
    assert_eq!(now().await["status"], "suspended");
    assert_eq!(
        names_of_actions(&browser).await,
        ["Edit", "Renew", "Reinstate", "Revoke", "Delete"]
    );
    browser.press("Reinstate").await;
    browser.fill("Reason", "paid").await;
    browser.press("Reinstate license").await;
    browser.sees("Valid: applications that ask are let in.").await;
    assert_eq!(now().await["status"], "active");

    browser.press("Renew").await;
    browser.fill("Days", "30").await;
    browser.sees("New end:").await;
    browser.look("license-renew").await;
    browser.press("Renew license").await;
    browser.find(&detail("Ends", "31 Mar 2027")).await;
    assert_eq!(now().await["expires_at"], "2027-03-31T12:00:00.000000Z");
    browser.press("Renew").await;
    browser.choose("How", "Until a date").await;
    browser.set("New end", "2020-01-01T00:00").await;
    browser.press("Renew license").await;
    browser
        .find("//dialog[@open]//*[contains(@class, 'error') and normalize-space(.) != '']")
        .await;
    browser.look("license-renew-refused").await;
    browser.choose("How", "Without an end").await;
    browser.press("Renew license").await;
    browser.find(&detail("Ends", "Never")).await;
    assert_eq!(now().await["expires_at"], Value::Null);

    browser.press("Revoke").await;
    browser.fill("Reason", "fraud").await;
    let revoke = "//dialog[@open]//button[normalize-space(.) = 'Revoke license' and @disabled]";
    assert!(browser.has(revoke).await, "it takes the word first");
    browser.look("license-revoke").await;
    browser
        .fill("Type \u{201c}revoke\u{201d} to go on", "revoke")
        .await;
    browser.press("Revoke license").await;
    browser.sees("Withdrawn for good").await;
    assert_eq!(now().await["status"], "revoked");
    assert_eq!(names_of_actions(&browser).await, ["Edit", "Delete"]);
    browser.look("license-revoked").await;

    browser.press("Delete").await;
    browser
        .fill("Type \u{201c}delete\u{201d} to go on", "delete")
        .await;
    browser.press("Delete license").await;
    browser.sees("License deleted").await;
    browser.is_at("Licenses").await;
    assert_eq!(browser.path().await, "/licenses");
    app.client
        .get(&path)
        .await
        .expect_problem(404, "LICENSE_NOT_FOUND");

    // What happened to it is still there, and so is what it was.
    browser.open(&path).await;
    browser.sees("There is no such license now").await;
    browser.sees("The admin deleted it.").await;
    browser.look("license-deleted").await;
    let suspended = "//li[contains(@class, 'happening')][contains(., 'The admin suspended it: unpaid')]//a[. = 'As it was then']";
    browser.click(suspended).await;
    browser.find(&detail("Ends", "1 Mar 2027")).await;
    browser
        .sees("Paused: applications are refused until it is reinstated.")
        .await;
    browser.sees("As it was right after event").await;
    browser.finish_after_refusals().await;
    app.finish().await;
}

#[tokio::test]
async fn a_full_license_says_so_and_a_machine_is_deactivated() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let path = path_of(&license);
    app.client
        .patch(&path, &json!({"machines_limit": 2}))
        .await
        .expect(200);
    let browser = Browser::logged_in(&app, &format!("{path}?tab=machines")).await;
    browser.sees("No machine has a seat").await;
    for (fingerprint, hostname) in [("f-1", "desk-1"), ("f-2", "desk-2"), ("f-3", "desk-3")] {
        let body = json!({"key": license["key"], "fingerprint": fingerprint, "hostname": hostname, "platform": "linux"});
        let answer = app.client.ask("/activate", &body).await.expect(200);
        let code = if fingerprint == "f-3" {
            "ACTIVATION_LIMIT"
        } else {
            "ACTIVATED"
        };
        assert_eq!(answer["code"], code);
    }
    let beat = json!({"key": license["key"], "fingerprint": "f-1", "version": "2.1.0"});
    app.client.ask("/heartbeat", &beat).await.expect(200);
    browser.open(&format!("{path}?tab=machines")).await;
    browser
        .sees("The next activation will be refused: 2 of 2 seats are taken.")
        .await;
    browser
        .find("//tr[contains(., 'desk-1') and contains(., '2.1.0')]")
        .await;
    browser.look("license-machines").await;
    browser.look_narrow("license-machines").await;
    browser.press("Deactivate desk-1").await;
    browser.look("license-machine-deactivate").await;
    browser.press("Deactivate machine").await;
    browser.sees("desk-1 deactivated").await;
    browser.gone("The next activation will be refused").await;
    browser.find(&detail("Machines", "1 of 2")).await;
    let machines = app.client.get(&format!("{path}/machines")).await.expect(200);
    assert_eq!(machines.as_array().unwrap().len(), 1);
    assert_eq!(machines[0]["hostname"], "desk-2");
    browser.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn entitlements_tell_where_they_come_from_and_what_is_left() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let path = path_of(&license);
    let change =
        json!({"entitlements": {"api_calls": {"limit": 500, "period": "month"}, "seats": {"limit": 4}}});
    app.client.patch(&path, &change).await.expect(200);
    app.client.use_of(&license["key"], "api_calls", 120).await;
    app.client
        .use_of(&license["key"], "agent.CTO.tokens", 20_000)
        .await;
    let browser = Browser::logged_in(&app, &path).await;
    for (feature, figures) in [
        (
            "api_calls",
            &[
                "limit 1,000",
                "limit 500 a month",
                "500 a month",
                "120 of 500",
                "380",
            ][..],
        ),
        ("export", &["on", "On", "no limit"]),
        ("sso", &["off", "Off"]),
        ("seats", &["limit 4", "0 of 4"]),
        ("CTO", &["On", "20,000 of 50,000", "premium"]),
        ("CFO", &["Off"]),
    ] {
        for figure in figures {
            browser
                .find(&format!(
                    "//tr[.//code = '{feature}'][contains(normalize-space(.), '{figure}')]"
                ))
                .await;
        }
    }
    browser.sees("begins anew").await;
    browser.look("license").await;
    browser.look_narrow("license").await;
    browser.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn usage_is_plotted_against_its_limit() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let path = path_of(&license);
    let change =
        json!({"entitlements": {"api_calls": {"limit": 100}, "pages": {"limit": 40, "period": "day"}}});
    app.client.patch(&path, &change).await.expect(200);
    for value in [10, 20, 30] {
        app.client.use_of(&license["key"], "api_calls", value).await;
        app.client.use_of(&license["key"], "pages", value).await;
        app.client.use_of(&license["key"], "agent.CTO.tokens", 7).await;
        app.advance(DAY);
    }
    app.client.use_of(&license["key"], "free", 1).await;
    let browser = Browser::logged_in(&app, &format!("{path}?tab=usage&metric=api_calls")).await;
    browser
        .find("//tr[.//code = 'api_calls'][contains(., '60 of 100 in all')]")
        .await;
    browser.sees("Used of the limit of 100 in all").await;
    // The tables that stand for the plots: 30 days, of which three and all have use; the limit is drawn once.
    let rows = "return [...document.querySelectorAll('figure.plot table')].map(table =>
        [...table.querySelectorAll('tbody td')].map(cell => cell.textContent).slice(-4).join(' '))";
    assert_eq!(browser.run(rows).await, json!(["10 20 30 0", "10 30 60 60"]));
    let limits = "return document.querySelectorAll('.plot-area line.limit').length";
    assert_eq!(browser.run(limits).await, 1);
    browser.look("license-usage").await;
    browser.look_narrow("license-usage").await;
    browser.follow("7 days").await;
    browser
        .find("//nav[@class = 'segments']/a[. = '7 days' and @aria-current = 'true']")
        .await;
    browser.sees("60 in all of these days").await;
    assert!(browser.path().await.contains("range=7d"));
    browser.follow("24 hours").await;
    browser.sees("0 in all of these hours").await;
    browser.follow("30 days").await;
    browser.follow("pages").await;
    browser.find("//h2[. = 'pages']").await;
    browser.find("//figure[.//caption = 'pages by day']").await;
    assert_eq!(browser.run(limits).await, 1, "a day's limit stands beside days");
    browser
        .find("//section[.//h2 = 'By agent']//tr[contains(., 'CTO') and contains(., 'tokens') and contains(., '21')]")
        .await;
    browser.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn history_tells_who_did_what_and_leads_to_the_license_as_it_was() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let path = path_of(&license);
    let tier = license["tier"].as_str().unwrap();
    let key = app
        .client
        .post("/api-keys", &json!({"name": "Jane", "scopes": ["admin"]}))
        .await
        .expect(201);
    let jane = app.client.with_key(&key["api_key"]);
    app.client.activate(&license["key"], "f-1").await;
    app.client.use_of(&license["key"], "api_calls", 3).await;
    app.client.use_of(&license["key"], "api_calls", 4).await;
    app.advance(DAY);
    jane.patch(&path, &json!({"tier": "enterprise", "machines_limit": null}))
        .await
        .expect(200);
    app.client.use_of(&license["key"], "api_calls", 5).await;
    app.advance(DAY);
    jane.post(&format!("{path}/suspend"), &json!({"reason": "unpaid"}))
        .await
        .expect(200);
    app.client.validate(&license["key"]).await;
    app.advance(DAY);

    let browser = Browser::logged_in(&app, &format!("{path}?tab=history")).await;
    for words in [
        "Jane suspended it: unpaid",
        "Jane changed it.",
        "Tier: enterprise",
        "Machines: without a limit",
        "Machine f-1 took a seat.",
        "2 records of api_calls: 7 together; 7 of 1,000 in all used then.",
        "An application with its key recorded 5 of api_calls; 12 of 1,000 in all used then.",
        "Its key was validated once: 1 refused as suspended or revoked.",
        "The admin issued it: PRD, tier",
    ] {
        browser.sees(words).await;
    }
    browser.look("license-history").await;
    browser.look_narrow("license-history").await;
    let suspended = "//li[contains(@class, 'happening')][contains(., 'Jane suspended it: unpaid')]";
    browser.click(&format!("{suspended}//summary")).await;
    browser.sees("\"event_type\": \"license.suspended\"").await;
    browser.look("license-history-raw").await;
    let trail = app
        .client
        .get(&format!(
            "/audit/{}?event_type=license.suspended",
            license["id"].as_str().unwrap()
        ))
        .await
        .expect(200);
    let position = trail[0]["position"].as_u64().unwrap();
    let link = browser
        .find(&format!("{suspended}//a[. = 'Ledger event {position}']"))
        .await;
    let href = link.attr("href").await.unwrap().unwrap();
    assert!(href.ends_with(&format!("/dashboard/ledger/{position}")), "{href}");
    browser.choose("Kind", "Suspended").await;
    browser.gone("Machine f-1 took a seat.").await;
    assert!(browser.path().await.contains("kind=license.suspended"));
    browser.press("Clear filters").await;
    browser.sees("Machine f-1 took a seat.").await;

    browser.find(&detail("Tier", "enterprise")).await;
    browser.set("As it was on", "2026-03-01T18:00").await;
    browser.press("Show").await;
    browser.sees("As it was on 1 Mar 2026, 18:00").await;
    browser.find(&detail("Tier", tier)).await;
    browser.sees("Valid: applications that ask are let in.").await;
    assert_eq!(names_of_actions(&browser).await, Vec::<String>::new());
    browser
        .find(&format!("{suspended}//*[. = 'Later than what is shown']"))
        .await;
    browser.look("license-as-it-was").await;
    browser.look_narrow("license-as-it-was").await;
    browser.follow("Usage").await;
    browser
        .find("//tr[.//code = 'api_calls'][contains(., '7 of 1,000 in all')]")
        .await;
    browser.follow("Entitlements").await;
    browser
        .find("//tr[.//code = 'api_calls'][contains(., '7 of 1,000')]")
        .await;
    assert!(browser.path().await.contains("at=2026-03-01"));
    browser.press("Back to now").await;
    browser.find(&detail("Tier", "enterprise")).await;
    browser.gone("As it was on 1 Mar").await;
    browser
        .find("//tr[.//code = 'api_calls'][contains(., '12 of 1,000')]")
        .await;
    browser.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn a_key_sees_only_what_it_may_do() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let path = path_of(&license);
    app.client.activate(&license["key"], "f-1").await;
    let support = app.client.api_key(&["support"]).await;
    let browser = Browser::start(&app).await;
    browser.open(&format!("{path}?tab=machines")).await;
    browser.log_in(support["api_key"].as_str().unwrap()).await;
    browser.is_at("PRD license").await;
    browser.find("//button[@aria-label = 'Deactivate f-1']").await;
    assert_eq!(names_of_actions(&browser).await, ["Suspend"]);
    browser.look("license-support").await;
    browser.press("Suspend").await;
    browser.press("Suspend license").await;
    browser.find("//button[normalize-space(.) = 'Reinstate']").await;
    assert_eq!(names_of_actions(&browser).await, ["Reinstate"]);
    assert_eq!(app.client.get(&path).await.expect(200)["status"], "suspended");
    browser.follow("History").await;
    browser.sees("support suspended it, without a reason.").await;
    assert!(
        !browser.has("//a[starts-with(., 'Ledger event')]").await,
        "the ledger is not theirs"
    );
    browser.press("Log out").await;

    let issuer = app.client.api_key(&["issuer"]).await;
    browser.log_in(issuer["api_key"].as_str().unwrap()).await;
    browser.open(&path).await;
    browser.find("//button[normalize-space(.) = 'Revoke']").await;
    assert_eq!(
        names_of_actions(&browser).await,
        ["Edit", "Renew", "Reinstate", "Revoke"]
    );
    assert!(!browser.has("//nav[@class = 'tabs']//a[. = 'History']").await);
    browser.finish_after_refusals().await;
    app.finish().await;
}
