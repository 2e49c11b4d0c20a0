//! A real browser, as a person uses it.

use super::programs::in_repository;
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, mpsc},
    thread,
    time::Duration,
};

/// No page is waited for as long as this.
const PATIENCE: Duration = Duration::from_mins(1);

/// A browser, driven by a script. Its pages share nothing.
pub struct Browser {
    child: Child,
    bridge: Mutex<(Option<ChildStdin>, mpsc::Receiver<String>)>,
}

/// One page of it, which is at a gateway.
pub struct Page<'a> {
    browser: &'a Browser,
    number: u64,
    origin: String,
}

impl Browser {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same, which takes any certificate.
    pub fn trusting_any_certificate() -> Self {
        Self::with(&["--ignore-certificate-errors", "--disable-quic"])
    }

    fn with(options: &[&str]) -> Self {
        let mut child = Command::new("node")
            .arg(in_repository("tests/support/browser/bridge.mjs"))
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node; run tests/tools.sh");
        let (sender, answers) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let bridge = Mutex::new((child.stdin.take(), answers));
        Self { child, bridge }
    }

    /// A page of a reader of this language.
    pub fn page(&self, gateway: SocketAddr, language: &str) -> Page<'_> {
        self.page_at(&format!("http://{gateway}"), language)
    }

    /// The same of the gateway with this origin.
    pub fn page_at(&self, origin: &str, language: &str) -> Page<'_> {
        let number = self.tell(0, "open", &[json!(language)]).as_u64().unwrap();
        Page { browser: self, number, origin: origin.to_owned() }
    }

    fn tell(&self, page: u64, command: &str, values: &[Value]) -> Value {
        let mut said = vec![json!(page), json!(command)];
        said.extend_from_slice(values);
        let said = Value::from(said);
        let mut bridge = self.bridge.lock().unwrap();
        writeln!(bridge.0.as_mut().unwrap(), "{said}").unwrap();
        let answer = bridge.1.recv_timeout(PATIENCE);
        drop(bridge);
        let answer = answer.unwrap_or_else(|error| panic!("{said}: {error}"));
        let mut answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer["error"].is_null(), "{said}: {}", answer["error"].as_str().unwrap_or_default());
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Without commands, the script closes the browser and removes its profile.
        if let Ok(bridge) = self.bridge.get_mut() {
            drop(bridge.0.take());
        } else {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

impl Page<'_> {
    fn tell(&self, command: &str, values: &[Value]) -> Value {
        self.browser.tell(self.number, command, values)
    }

    /// Opens a path of the gateway and waits until it is loaded.
    pub fn open(&self, path: &str) {
        self.tell("goto", &[json!(format!("{}{path}", self.origin))]);
    }

    pub fn size(&self, width: u32, scheme: &str) {
        self.tell("size", &[json!(width), json!(900), json!(scheme)]);
    }

    pub fn evaluate(&self, expression: &str) -> Value {
        self.tell("evaluate", &[json!(expression)])
    }

    /// Waits until an expression is true.
    pub fn until(&self, expression: &str) {
        self.tell("until", &[json!(expression)]);
    }

    /// Waits until an element is seen.
    pub fn sees(&self, selector: &str) {
        self.until(&format!("document.querySelector({})?.checkVisibility()", json!(selector)));
    }

    /// Waits until an element is seen with these words in it.
    pub fn reads(&self, selector: &str, words: &str) {
        let (selector, words) = (json!(selector), json!(words));
        let found = format!("document.querySelector({selector})");
        self.until(&format!("{found}?.checkVisibility() && {found}.textContent.includes({words})"));
    }

    pub fn text(&self, selector: &str) -> String {
        let found = self.evaluate(&format!("document.querySelector({}).textContent", json!(selector)));
        found.as_str().unwrap().to_owned()
    }

    pub fn click(&self, selector: &str) {
        self.tell("click", &[json!(selector)]);
    }

    pub fn fill(&self, selector: &str, text: &str) {
        self.tell("fill", &[json!(selector), json!(text)]);
    }

    /// Presses a key that has this code.
    pub fn press(&self, key: &str, code: u32) {
        self.tell("key", &[json!(key), json!(code)]);
    }

    pub fn choose(&self, selector: &str, file: &Path) {
        self.tell("files", &[json!(selector), json!(file)]);
    }

    pub fn use_key(&self, key: &str) {
        self.fill("#key", key);
        self.press("Enter", 13);
    }

    /// Errors with these words belong to what is tested.
    pub fn expects(&self, words: &str) {
        self.tell("expect", &[json!(words)]);
    }

    /// Nothing happened that should not: no error, no dialog, no request to others, no breach of the policy. What is seen
    /// now is accessible and fits, in both schemes and at both widths.
    pub fn is_well(&self, state: &str) {
        for (width, scheme) in [(390, "dark"), (1280, "light")] {
            self.size(width, scheme);
            let found = self.tell("axe", &[]);
            assert_eq!(found, json!([]), "{state}, {width} wide, {scheme}");
            let wide = self.evaluate("document.documentElement.scrollWidth");
            assert!(wide.as_u64() <= Some(width.into()), "{state}: {wide} wide on {width}");
        }
        let trouble = self.tell("trouble", &[]);
        assert_eq!(trouble, json!([]), "{state}");
    }
}
