//! The part of the `WebDriver` protocol that these tests speak (W3C `WebDriver`, and chromedriver's way to the browser's own
//! protocol).
//!
//! Libraries for it turn on features of `serde_json` that the whole workspace would then be built with, the server as
//! well: objects in the order of insertion. What is tested must be what users run.

use std::ops::Add;

use reqwest::Method;
use serde_json::{Value, json};

/// How an element is named on the wire.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What went wrong, in the driver's words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WebDriverError(String);

type Answer<T> = Result<T, WebDriverError>;

/// A browser that a driver has started.
#[derive(Debug, Clone)]
pub(crate) struct WebDriver {
    http: reqwest::Client,
    /// Address of the session at the driver.
    session: String,
}

impl WebDriver {
    /// Has the driver at an address start Chromium with these arguments.
    pub(crate) async fn start(driver: &str, arguments: &[String]) -> Answer<Self> {
        let wishes = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let http = reqwest::Client::new();
        let begun = exchange(&http, Method::POST, &format!("{driver}/session"), Some(wishes)).await?;
        let id = begun["sessionId"].as_str().unwrap_or_default();
        Ok(Self {
            session: format!("{driver}/session/{id}"),
            http,
        })
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer<Value> {
        exchange(&self.http, method, &format!("{}{path}", self.session), body).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer<Value> {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn goto(&self, url: impl AsRef<str>) -> Answer<()> {
        self.post("/url", json!({"url": url.as_ref()})).await.map(drop)
    }

    pub(crate) async fn refresh(&self) -> Answer<()> {
        self.post("/refresh", json!({})).await.map(drop)
    }

    pub(crate) async fn back(&self) -> Answer<()> {
        self.post("/back", json!({})).await.map(drop)
    }

    pub(crate) async fn current_url(&self) -> Answer<String> {
        Ok(text(&self.ask(Method::GET, "/url", None).await?))
    }

    /// Every element of an `XPath`, in the page's order.
    pub(crate) async fn find_all(&self, xpath: &str) -> Answer<Vec<WebElement>> {
        let found = self
            .post("/elements", json!({"using": "xpath", "value": xpath}))
            .await?;
        Ok(self.elements(&found))
    }

    pub(crate) async fn active_element(&self) -> Answer<WebElement> {
        let active = self.ask(Method::GET, "/element/active", None).await?;
        Ok(self.element(&active))
    }

    /// Presses and releases the mouse at a place of the window.
    pub(crate) async fn click_at(&self, x: u32, y: u32) -> Answer<()> {
        let actions = json!({"actions": [{
            "type": "pointer",
            "id": "mouse",
            "actions": [
                {"type": "pointerMove", "duration": 0, "x": x, "y": y},
                {"type": "pointerDown", "button": 0},
                {"type": "pointerUp", "button": 0},
            ],
        }]});
        self.post("/actions", actions).await.map(drop)
    }

    /// What a script returns.
    pub(crate) async fn execute(&self, script: &str, arguments: Vec<Value>) -> Answer<Value> {
        self.post("/execute/sync", json!({"script": script, "args": arguments}))
            .await
    }

    /// What a script hands to the function that is its last argument.
    pub(crate) async fn execute_async(&self, script: &str, arguments: Vec<Value>) -> Answer<Value> {
        self.post("/execute/async", json!({"script": script, "args": arguments}))
            .await
    }

    /// How long scripts may take.
    pub(crate) async fn set_script_timeout(&self, timeout: std::time::Duration) -> Answer<()> {
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        self.post("/timeouts", json!({"script": millis})).await.map(drop)
    }

    /// Asks the browser by its own protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Answer<Value> {
        self.post("/goog/cdp/execute", json!({"cmd": command, "params": parameters}))
            .await
    }

    /// What stood on the console since it was last asked for.
    pub(crate) async fn console(&self) -> Answer<Value> {
        self.post("/se/log", json!({"type": "browser"})).await
    }

    pub(crate) async fn quit(self) -> Answer<()> {
        self.ask(Method::DELETE, "", None).await.map(drop)
    }

    fn elements(&self, found: &Value) -> Vec<WebElement> {
        let found = found.as_array().map(Vec::as_slice).unwrap_or_default();
        found.iter().map(|element| self.element(element)).collect()
    }

    fn element(&self, found: &Value) -> WebElement {
        WebElement {
            driver: self.clone(),
            id: text(&found[ELEMENT]),
        }
    }
}

/// An element of the page.
#[derive(Debug, Clone)]
pub(crate) struct WebElement {
    driver: WebDriver,
    id: String,
}

impl WebElement {
    async fn get(&self, what: &str) -> Answer<Value> {
        let path = format!("/element/{}/{what}", self.id);
        self.driver.ask(Method::GET, &path, None).await
    }

    async fn post(&self, what: &str, body: Value) -> Answer<Value> {
        self.driver
            .post(&format!("/element/{}/{what}", self.id), body)
            .await
    }

    pub(crate) async fn is_displayed(&self) -> Answer<bool> {
        Ok(self.get("displayed").await? == true)
    }

    pub(crate) async fn click(&self) -> Answer<()> {
        self.post("click", json!({})).await.map(drop)
    }

    pub(crate) async fn send_keys(&self, keys: impl AsRef<str>) -> Answer<()> {
        self.post("value", json!({"text": keys.as_ref()})).await.map(drop)
    }

    /// What is seen of its text.
    pub(crate) async fn text(&self) -> Answer<String> {
        Ok(text(&self.get("text").await?))
    }

    pub(crate) async fn attr(&self, name: &str) -> Answer<Option<String>> {
        Ok(self
            .get(&format!("attribute/{name}"))
            .await?
            .as_str()
            .map(str::to_owned))
    }

    pub(crate) async fn prop(&self, name: &str) -> Answer<Option<String>> {
        let value = self.get(&format!("property/{name}")).await?;
        Ok(match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        })
    }

    /// The first element of an `XPath` below it.
    pub(crate) async fn find(&self, xpath: &str) -> Answer<Self> {
        let found = self
            .post("element", json!({"using": "xpath", "value": xpath}))
            .await?;
        Ok(self.driver.element(&found))
    }

    /// As scripts take it.
    pub(crate) fn to_argument(&self) -> Value {
        json!({ELEMENT: self.id})
    }
}

async fn exchange(http: &reqwest::Client, method: Method, url: &str, body: Option<Value>) -> Answer<Value> {
    let failed = |error: reqwest::Error| WebDriverError(error.to_string());
    let mut request = http.request(method, url);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.map_err(failed)?;
    let is_good = response.status().is_success();
    let mut answer: Value = response.json().await.map_err(failed)?;
    let value = answer["value"].take();
    if is_good {
        Ok(value)
    } else {
        Err(WebDriverError(format!(
            "{}: {}",
            text(&value["error"]),
            text(&value["message"])
        )))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Keys without a character (W3C `WebDriver`, 17.4.2).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key {
    Backspace,
    Tab,
    Enter,
    Control,
    Escape,
    Up,
    Down,
}

impl Key {
    pub(crate) const fn value(self) -> char {
        match self {
            Self::Backspace => '\u{e003}',
            Self::Tab => '\u{e004}',
            Self::Enter => '\u{e007}',
            Self::Control => '\u{e009}',
            Self::Escape => '\u{e00c}',
            Self::Up => '\u{e013}',
            Self::Down => '\u{e015}',
        }
    }
}

impl From<Key> for char {
    fn from(key: Key) -> Self {
        key.value()
    }
}

impl Add<&str> for Key {
    type Output = String;

    /// The key held while these are pressed.
    fn add(self, others: &str) -> String {
        format!("{}{others}", self.value())
    }
}
