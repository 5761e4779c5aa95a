//! A browser with the dashboard in it, driven as a person would: by what stands on buttons, links and fields.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{ADMIN_KEY, TestApp};
use crate::webdriver::{Key, WebDriver, WebElement};

/// How long something may take to appear on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_mins(1);

/// The driver of all browsers of this process, which ends with it.
struct Driver {
    _child: Child,
    url: String,
}

static DRIVER: OnceLock<Driver> = OnceLock::new();

fn driver() -> &'static Driver {
    DRIVER.get_or_init(|| {
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        // The shell ends the driver when this process is gone, however it goes: then its standard input closes.
        let child = Command::new("sh")
            .args([
                "-c",
                "chromedriver --port=$0 >/dev/null 2>&1 & cat >/dev/null; kill $!",
            ])
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .spawn()
            .expect("chromedriver is needed: `cargo xtask browser` installs it");
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                started.elapsed() < PATIENCE,
                "chromedriver does not start: `cargo xtask browser` installs it"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Driver {
            _child: child,
            url: format!("http://127.0.0.1:{port}"),
        }
    })
}

/// A browser of its own, without a past.
pub(crate) struct Browser {
    pub(crate) driver: WebDriver,
    /// Address of the dashboard, without a slash at its end.
    pub(crate) root: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A browser that shows nothing yet. The dashboard stands at the API's address.
    pub(crate) async fn start(app: &TestApp) -> Self {
        Self::at(&app.client.base).await
    }

    /// As [`Browser::start`], for an API at an address, such as a proxy's.
    pub(crate) async fn at(base: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            // A screenshot of a whole page takes them away for a moment, and what is pressed then moves.
            "--hide-scrollbars",
            "--window-size=1280,900",
            "--lang=en",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let driver = WebDriver::start(&driver().url, &arguments)
            .await
            .expect("a browser starts");
        driver.set_script_timeout(PATIENCE * 5).await.unwrap();
        Self {
            driver,
            root: format!("{base}/dashboard"),
            _profile: profile,
        }
    }

    /// A browser in which the admin is logged in, on a page below the root.
    pub(crate) async fn logged_in(app: &TestApp, path: &str) -> Self {
        let browser = Self::start(app).await;
        browser.open(path).await;
        browser.log_in(ADMIN_KEY).await;
        browser
    }

    /// Opens a page: `/licenses`.
    pub(crate) async fn open(&self, path: &str) {
        self.driver.goto(format!("{}{path}", self.root)).await.unwrap();
    }

    pub(crate) async fn log_in(&self, key: &str) {
        self.fill("API key", key).await;
        self.press("Log in").await;
        self.find("//main[@id = 'content']").await;
    }

    /// The first shown element of an `XPath`, once there is one.
    pub(crate) async fn find(&self, xpath: &str) -> WebElement {
        let started = Instant::now();
        loop {
            for element in self.driver.find_all(xpath).await.unwrap_or_default() {
                if element.is_displayed().await.unwrap_or(false) {
                    return element;
                }
            }
            if started.elapsed() > PATIENCE {
                let path = self.shoot_as("missing").await;
                panic!(
                    "{xpath} is not there at {}; see {}; console: {:?}",
                    self.path().await,
                    path.display(),
                    self.complaints().await
                );
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// Whether an element of an `XPath` is shown right now.
    pub(crate) async fn has(&self, xpath: &str) -> bool {
        for element in self.driver.find_all(xpath).await.unwrap_or_default() {
            if element.is_displayed().await.unwrap_or(false) {
                return true;
            }
        }
        false
    }

    /// Waits for a text somewhere on the page.
    pub(crate) async fn sees(&self, text: &str) -> WebElement {
        let text = quoted(text);
        // The innermost element that holds it.
        self.find(&format!(
            "//body//*[contains(normalize-space(.), {text})][not(*[contains(normalize-space(.), {text})])]"
        ))
        .await
    }

    /// Waits until a text is gone.
    pub(crate) async fn gone(&self, text: &str) {
        let quoted = quoted(text);
        let xpath = format!(
            "//body//*[contains(normalize-space(.), {quoted})][not(*[contains(normalize-space(.), {quoted})])]"
        );
        let started = Instant::now();
        while self.has(&xpath).await {
            assert!(started.elapsed() < PATIENCE, "{text:?} stays");
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// Waits for the page's title.
    pub(crate) async fn is_at(&self, title: &str) {
        self.find(&format!("//main//h1[normalize-space(.) = {}]", quoted(title)))
            .await;
    }

    /// Clicks, again if something was in the way or the element was replaced meanwhile.
    pub(crate) async fn click(&self, xpath: &str) {
        let started = Instant::now();
        loop {
            let element = self.find(xpath).await;
            match element.click().await {
                Ok(()) => return,
                Err(error) => assert!(started.elapsed() < PATIENCE, "{xpath}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// Presses a button by its words; in a dialog if one is open.
    pub(crate) async fn press(&self, name: &str) {
        let name = quoted(name);
        self.click(&format!(
            "{}//button[(normalize-space(.) = {name} or @aria-label = {name}) and not(@disabled)]",
            self.place().await
        ))
        .await;
    }

    /// Follows a link by its words.
    pub(crate) async fn follow(&self, name: &str) {
        let name = quoted(name);
        self.click(&format!(
            "//a[normalize-space(.) = {name} or @aria-label = {name}]"
        ))
        .await;
    }

    /// A field by its label, in a dialog if one is open.
    pub(crate) async fn field(&self, label: &str) -> WebElement {
        let label = quoted(label);
        let place = self.place().await;
        self.find(&format!(
            "{place}//*[self::input or self::select or self::textarea][@aria-label = {label} or @id = //label[normalize-space(.) = {label}]/@for]"
        ))
        .await
    }

    /// Types into a field, over what is there.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        let field = self.field(label).await;
        field.send_keys(Key::Control + "a").await.unwrap();
        field.send_keys(Key::Backspace + "").await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Chooses an option of a list by its words.
    pub(crate) async fn choose(&self, label: &str, option: &str) {
        let xpath = format!("./option[normalize-space(.) = {}]", quoted(option));
        let started = Instant::now();
        loop {
            // The choices may be on their way, and the list be made anew when they come.
            let field = self.field(label).await;
            if let Ok(option) = field.find(&xpath).await
                && option.click().await.is_ok()
            {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{label} has no {option:?}");
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// Sets a field that browsers show in parts, such as a date and time.
    pub(crate) async fn set(&self, label: &str, value: &str) {
        let field = self.field(label).await;
        let script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}));";
        self.driver
            .execute(script, vec![field.to_argument(), json!(value)])
            .await
            .unwrap();
    }

    /// Sends keys to whatever has the keyboard.
    pub(crate) async fn keys(&self, keys: impl IntoIterator<Item = char>) {
        let text: String = keys.into_iter().collect();
        self.driver
            .active_element()
            .await
            .unwrap()
            .send_keys(text)
            .await
            .unwrap();
    }

    /// Where to look: in the open dialog, if there is one.
    async fn place(&self) -> &'static str {
        if self.has("//dialog[@open]").await {
            "//dialog[@open]"
        } else {
            "//body"
        }
    }

    /// The path of the page below the dashboard's root, with its query.
    pub(crate) async fn path(&self) -> String {
        let url = self.driver.current_url().await.unwrap();
        url.strip_prefix(&self.root).map_or(url.clone(), str::to_owned)
    }

    /// What a script returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.driver.execute(script, vec![]).await.unwrap()
    }

    /// What a script with an `await` in it returns.
    pub(crate) async fn run_async(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1]; (async () => {{ {script} }})().then(done, error => done(String(error)));"
        );
        self.driver.execute_async(&script, vec![]).await.unwrap()
    }

    /// Looks at the page in light and dark: writes screenshots, and has axe find what keeps people out. Nothing may.
    pub(crate) async fn look(&self, name: &str) {
        let tools = &self.driver;
        for scheme in ["light", "dark"] {
            let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
            tools.devtools("Emulation.setEmulatedMedia", media).await.unwrap();
            // What fades has to be there.
            tokio::time::sleep(Duration::from_millis(250)).await;
            self.shoot_as(&format!("{name}-{scheme}")).await;
            self.check_access(&format!("{name}, {scheme}")).await;
        }
        let media = json!({"features": []});
        tools.devtools("Emulation.setEmulatedMedia", media).await.unwrap();
    }

    /// As [`Browser::look`], on a telephone: nothing may be wider than it.
    pub(crate) async fn look_narrow(&self, name: &str) {
        let telephone = json!({"width": 360, "height": 780, "deviceScaleFactor": 1, "mobile": true});
        self.driver
            .devtools("Emulation.setDeviceMetricsOverride", telephone)
            .await
            .unwrap();
        let widths = "return [document.documentElement.scrollWidth, window.innerWidth]";
        let mut last = Value::Null;
        for _ in 0..40 {
            last = self.run(widths).await;
            if last[0] == 360 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.look(&format!("{name}-360")).await;
        assert_eq!(last, json!([360, 360]), "{name} is wider than a telephone");
        self.driver
            .devtools("Emulation.clearDeviceMetricsOverride", json!({}))
            .await
            .unwrap();
    }

    async fn check_access(&self, place: &str) {
        static AXE: OnceLock<String> = OnceLock::new();
        let axe = AXE.get_or_init(|| {
            let path = std::env::var_os("VINZY_TEST_AXE").map_or_else(
                || screenshots().join("../tools/npm/axe-core-4.10.3/axe.min.js"),
                PathBuf::from,
            );
            std::fs::read_to_string(&path).unwrap_or_else(|error| {
                panic!("{}: {error}; `cargo xtask browser` fetches it", path.display())
            })
        });
        if self.run("return typeof axe").await == "undefined" {
            // Not a script of the page: its policy would forbid that.
            self.driver.execute(axe.as_str(), vec![]).await.unwrap();
        }
        let found = self
            .run_async(
                "const result = await axe.run(document, {resultTypes: ['violations']});
                 return result.violations.map(violation =>
                     violation.id + ': ' + violation.help + ' — ' +
                     violation.nodes.map(node => node.html.slice(0, 200) + ' ' + node.any.map(check => check.message).join(' ')).join(' | '));",
            )
            .await;
        assert_eq!(found, json!([]), "axe finds fault with {place}");
    }

    /// A screenshot of the whole page.
    async fn shoot_as(&self, name: &str) -> PathBuf {
        let path = screenshots().join(format!("{name}.png"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let is_dialog_open = self.has("//dialog[@open]").await;
        let whole = json!({"format": "png", "captureBeyondViewport": !is_dialog_open});
        let shot = self.driver.devtools("Page.captureScreenshot", whole).await;
        if let Ok(shot) = shot
            && let Some(data) = shot["data"].as_str()
        {
            let picture = data_encoding::BASE64.decode(data.as_bytes()).unwrap();
            std::fs::write(&path, picture).unwrap();
        }
        path
    }

    /// Ends the browser. Nothing may have been said against the page on its console: no error, no breach of its policy.
    pub(crate) async fn finish(self) {
        let mut complaints = self.complaints().await;
        self.driver.quit().await.unwrap();
        // Nobody is logged in at first.
        complaints.retain(|complaint| {
            !complaint
                .contains("/session - Failed to load resource: the server responded with a status of 401")
        });
        assert_eq!(complaints, Vec::<String>::new(), "the browser's console");
    }

    /// As [`Browser::finish`], after answers that browsers note as errors of the network.
    pub(crate) async fn finish_after_refusals(self) {
        let complaints = self.complaints().await;
        self.driver.quit().await.unwrap();
        let others: Vec<_> = complaints
            .into_iter()
            .filter(|complaint| !complaint.contains("Failed to load resource"))
            .collect();
        assert_eq!(others, Vec::<String>::new(), "the browser's console");
    }

    async fn complaints(&self) -> Vec<String> {
        let log = self.driver.console().await.unwrap();
        let entries = log.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")))
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

/// Where screenshots go.
pub(crate) fn screenshots() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .unwrap()
        .join("screenshots")
}

/// A text as `XPath` quotes it.
fn quoted(text: &str) -> String {
    if text.contains('"') {
        format!("'{text}'")
    } else {
        format!("\"{text}\"")
    }
}
