//! Products: made, changed, and deleted unless something uses them.

use crate::browser::Browser;
use crate::support::TestApp;

#[tokio::test]
async fn a_product_is_made_changed_and_deleted() {
    let app = TestApp::start().await;
    let browser = Browser::logged_in(&app, "/products").await;
    browser.sees("No products yet").await;
    browser.look("products-empty").await;
    browser.press("New product").await;
    browser.look("product-new").await;
    browser.fill("Code", "toolong").await;
    browser.fill("Name", "Fine Editor").await;
    browser.press("Create product").await;
    browser.find("//dialog//*[@class = 'error']").await;
    browser.look("product-new-wrong").await;
    browser.fill("Code", "fed").await;
    browser.press("Add a feature").await;
    browser.fill("Feature", "api_calls").await;
    browser.choose("How it is allowed", "Limited").await;
    browser.fill("Limit", "1000").await;
    browser.choose("Period of the limit", "a month").await;
    browser.look_narrow("product-new").await;
    browser.press("Create product").await;
    browser.sees("FED created").await;
    let products = app.client.get("/products").await.expect(200);
    assert_eq!(products[0]["code"], "FED");
    assert_eq!(
        products[0]["features"],
        serde_json::json!({"api_calls": {"limit": 1000, "period": "month"}})
    );
    browser.press("Edit FED").await;
    browser.fill("Name", "Finer Editor").await;
    browser.press("Save").await;
    browser.sees("Finer Editor").await;
    browser.look("products").await;
    browser.look_narrow("products").await;

    let license = app
        .license_of("FED", &app.customer("jane@example.com").await)
        .await;
    browser.press("Delete FED").await;
    browser.press("Delete product").await;
    browser.find("//dialog//*[@role = 'alert']").await;
    browser.look("product-in-use").await;
    browser.press("Cancel").await;
    let path = format!("/licenses/{}", license["id"].as_str().unwrap());
    app.client.delete(&path).await.expect(204);
    browser.press("Delete FED").await;
    browser.press("Delete product").await;
    browser.sees("No products yet").await;
    browser.finish_after_refusals().await;
    app.finish().await;
}
