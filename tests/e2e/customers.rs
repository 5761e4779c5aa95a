//! Customers: made, changed, deleted unless they have licenses, and erased with a certificate.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::TestApp;

#[tokio::test]
async fn a_customer_is_made_changed_and_deleted_unless_they_have_licenses() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    let other = app.customer("other@example.com").await;
    let browser = Browser::logged_in(&app, "/customers").await;
    browser.sees("other@example.com").await;
    browser.press("New customer").await;
    browser.fill("Name", "Joan Roe").await;
    browser.fill("E-mail", "other@example.com").await;
    browser.fill("Company", "Acme").await;
    browser.press("Create customer").await;
    browser.find("//dialog//*[@role = 'alert']").await;
    browser.look("customer-new-refused").await;
    browser.fill("E-mail", "joan@example.org").await;
    browser.look_narrow("customer-new").await;
    browser.press("Create customer").await;
    browser.is_at("Joan Roe").await;
    let path = browser.path().await;
    let customer = app.client.get(&path).await.expect(200);
    assert_eq!(
        (&customer["email"], &customer["company"]),
        (&json!("joan@example.org"), &json!("Acme"))
    );
    browser.press("Edit").await;
    browser.fill("Name", "Joan Doe").await;
    browser.press("Save").await;
    browser.is_at("Joan Doe").await;
    assert_eq!(app.client.get(&path).await.expect(200)["name"], "Joan Doe");

    let license = app.license_of("PRD", &customer).await;
    browser.open("/customers").await;
    browser.sees("Joan Doe").await;
    browser.look("customers").await;
    browser.look_narrow("customers").await;
    browser.press("Delete Joan Doe").await;
    browser.press("Delete customer").await;
    browser
        .find("//dialog//*[@role = 'alert'][contains(., '1 license')]")
        .await;
    browser.look("customer-in-use").await;
    browser.follow("Show their 1 license").await;
    browser.is_at("Licenses").await;
    browser
        .find(&format!("//code[@title = '{}']", license["id"].as_str().unwrap()))
        .await;
    let expected = format!("/licenses?customer={}", customer["id"].as_str().unwrap());
    assert_eq!(browser.path().await, expected);

    browser
        .open(&format!("/customers/{}", other["id"].as_str().unwrap()))
        .await;
    browser.press("Delete").await;
    browser.press("Delete customer").await;
    browser.is_at("Customers").await;
    browser.gone("other@example.com").await;
    let path = format!("/customers/{}", other["id"].as_str().unwrap());
    assert_eq!(
        app.client.get(&path).await.expect(404)["code"],
        "CUSTOMER_NOT_FOUND"
    );
    browser.finish_after_refusals().await;
    app.finish().await;
}

#[tokio::test]
async fn customers_are_searched_by_what_they_are_called() {
    let app = TestApp::start().await;
    app.customer("jane@example.com").await;
    let acme = json!({"name": "Joan Roe", "email": "joan@example.org", "company": "Acme"});
    app.client.post("/customers", &acme).await.expect(201);
    let browser = Browser::logged_in(&app, "/customers").await;
    browser.sees("2 customers").await;
    let search = "Search by name, e-mail, company or id";
    browser.set(search, "acm").await;
    browser.gone("jane@example.com").await;
    browser.sees("Joan Roe").await;
    assert_eq!(browser.path().await, "/customers?q=acm");
    browser.look("customers-search").await;
    browser.fill(search, "nobody").await;
    browser.sees("No customer found").await;
    browser.press("Clear filters").await;
    browser.sees("2 customers").await;
    browser.press("Created").await;
    browser.find("//tbody/tr[1][contains(., 'Jane Doe')]").await;
    assert_eq!(browser.path().await, "/customers?sort=created");
    browser.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn a_customers_page_shows_what_they_hold_and_what_that_amounts_to() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    let features = json!({"seats": {"limit": 5, "compose": "sum"}, "sso": true});
    let body = json!({"code": "FED", "name": "Fine Editor", "features": features});
    app.client.post("/products", &body).await.expect(201);
    let jane = app.customer("jane@example.com").await;
    let (one, two) = (
        app.license_of("FED", &jane).await,
        app.license_of("FED", &jane).await,
    );
    app.license_of("PRD", &jane).await;
    let browser = Browser::logged_in(&app, &format!("/customers/{}", jane["id"].as_str().unwrap())).await;
    browser.is_at("Jane Doe").await;
    browser.sees("3 licenses").await;
    let seats = "//tr[.//code[. = 'seats']]";
    browser
        .find(&format!(
            "{seats}[contains(., '10') and contains(., 'Limits added up')]"
        ))
        .await;
    for license in [&one, &two] {
        let id = license["id"].as_str().unwrap();
        browser
            .find(&format!(
                "{seats}//a[@title = '{id}'][contains(@href, '/licenses/{id}')]"
            ))
            .await;
    }
    browser.look("customer").await;
    browser.look_narrow("customer").await;
    browser.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn an_erased_customers_page_shows_the_certificate() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    let jane = app.customer("jane@example.com").await;
    app.license_of("PRD", &jane).await;
    let path = format!("/customers/{}", jane["id"].as_str().unwrap());
    let browser = Browser::logged_in(&app, &path).await;
    browser.press("Erase").await;
    browser.sees("There is no way back.").await;
    let confirm = "Type \u{201c}jane@example.com\u{201d} to go on";
    browser.fill("Reason", "Art. 17 GDPR").await;
    browser.fill(confirm, "jane@example.org").await;
    assert!(
        browser
            .has("//dialog//button[. = 'Erase for good' and @disabled]")
            .await
    );
    browser.look("customer-erase").await;
    browser.look_narrow("customer-erase").await;
    browser.fill(confirm, "jane@example.com").await;
    browser.press("Erase for good").await;
    browser.sees("Personal data erased").await;
    browser.is_at("Erased customer").await;
    browser.sees("Certificate of erasure").await;
    browser.sees("Art. 17 GDPR").await;
    browser.gone("jane@example.com").await;
    let certificate = app.client.get(&format!("{path}/erasure")).await.expect(200);
    assert_eq!(certificate["reason"], "Art. 17 GDPR");

    browser.driver.refresh().await.unwrap();
    browser.is_at("Erased customer").await;
    browser
        .find(&format!(
            "//code[@title = '{}']",
            certificate["event_hash"].as_str().unwrap()
        ))
        .await;
    assert!(
        !browser.has("//button[. = 'Erase' or . = 'Edit']").await,
        "there is nothing left of them to change"
    );
    browser.look("customer-erased").await;
    browser.look_narrow("customer-erased").await;
    // What is downloaded, without a folder to look into.
    browser
        .run("window.kept = null; URL.createObjectURL = blob => { window.kept = blob; return 'blob:none'; }; HTMLAnchorElement.prototype.click = function () { window.keptAs = this.download; };")
        .await;
    browser.press("Download certificate").await;
    let kept = browser.run_async("return await window.kept.text()").await;
    let kept: Value = serde_json::from_str(kept.as_str().unwrap()).unwrap();
    assert_eq!(kept["event_id"], certificate["event_id"]);
    assert_eq!(kept["destroyed_keys"], certificate["destroyed_keys"]);
    assert_eq!(
        browser.run("return window.keptAs").await,
        format!("erasure-{}.json", jane["id"].as_str().unwrap())
    );
    browser.finish().await;
    app.finish().await;
}
