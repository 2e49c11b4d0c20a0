//! `/docs`: the interactive reference.

use crate::{
    backend::Manner,
    form::png,
    support::{
        browser::{Browser, Page},
        programs::{in_repository, program},
    },
    world::World,
};
use rembg_gateway::config::BackendKind;
use serde_json::json;
use std::{fs, path::Path};

const CUT: &str = "#removeBackground";
const USAGE: &str = "#membershipUsage";

fn open(page: &Page<'_>) {
    page.open("/docs");
    page.sees("#openapiYaml .primary");
}

fn send(page: &Page<'_>, operation: &str) {
    page.click(&format!("{operation} button.primary"));
}

/// The words beside a field that say what is wrong with it.
fn fault(page: &Page<'_>, field: &str) -> String {
    page.text(&format!("{CUT}-{field}-fault"))
}

fn picture(folder: &Path) -> std::path::PathBuf {
    let file = folder.join("cat.png");
    fs::write(&file, png(40, 30)).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_pasted_once_and_the_result_is_seen() {
    let world = World::with(|config| {
        config.backend.kind = BackendKind::Builtin;
        config.backend.urls = Vec::new();
    })
    .await;
    let ann = world.customer("ann", 9).await;
    let browser = Browser::start();
    let page = browser.page(world.app.public, "en");
    open(&page);
    page.is_well("at the beginning");
    page.use_key(&ann.headers[0].1);
    page.reads("#key-state", "Requests are sent with the key that ends in");
    page.choose(&format!("{CUT}-image"), &in_repository("deploy/sample/mug.jpg"));
    page.fill(&format!("{CUT}-w"), "200");
    send(&page, CUT);
    page.reads(&format!("{CUT} figcaption"), "200 × 160 px, webp");
    let shown = page.evaluate("document.querySelector('#removeBackground .result img').naturalWidth");
    assert_eq!(shown, 200, "the browser has decoded it");
    assert!(page.text(&format!("{CUT} .result")).contains("x-credits-charged: 1"));
    page.is_well("a picture came back");
    send(&page, USAGE);
    page.reads(&format!("{USAGE} .result"), "\"api_usage\": 1");
    assert_eq!(ann.used().await, 1);
    assert_eq!(page.evaluate("location.search + location.hash"), "");
    let kept = page.evaluate("[JSON.stringify(sessionStorage), JSON.stringify(localStorage), document.cookie].join()");
    assert_eq!(kept, format!("{{\"rembg-gateway.key\":\"{}\"}},{{}},", ann.headers[0].1));
    // Another page of this tab still has it; then it is forgotten.
    open(&page);
    page.reads("#key-state", "ends in");
    page.click("#forget");
    assert_eq!(page.evaluate("sessionStorage.length"), 0);
    page.expects("status of 401");
    send(&page, USAGE);
    page.reads(&format!("{USAGE} .result"), "invalid api key");
    page.is_well("no key");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_stand_next_to_their_fields() {
    let world = World::start().await;
    let ann = world.customer("ann", 9).await;
    let folder = tempfile::tempdir().unwrap();
    let browser = Browser::start();
    let page = browser.page(world.app.public, "en");
    page.expects("status of 400");
    open(&page);
    page.use_key(&ann.headers[0].1);
    page.choose(&format!("{CUT}-image"), &picture(folder.path()));
    for (field, value) in [("w", "abc"), ("angle", "500"), ("bg_color", "#12345")] {
        page.fill(&format!("{CUT}-{field}"), value);
    }
    send(&page, CUT);
    page.reads(&format!("{CUT} .result"), "Multiple validation errors");
    assert_eq!(fault(&page, "w"), "'w' must be an integer, got: 'abc'");
    assert_eq!(fault(&page, "angle"), "'angle' must be between -360 and 360 degrees, got: 500.0");
    assert!(fault(&page, "bg_color").starts_with("Invalid color format '#12345'."));
    assert_eq!(page.evaluate("document.activeElement.id"), "removeBackground-w", "where it is to be mended");
    page.is_well("three faults");
    for field in ["angle", "bg_color"] {
        page.fill(&format!("{CUT}-{field}"), "");
    }
    send(&page, CUT);
    page.until("!document.querySelector('#removeBackground .result').textContent.includes('Multiple')");
    page.reads(&format!("{CUT} .result"), "'w' must be an integer");
    assert_eq!(
        (fault(&page, "w").as_str(), fault(&page, "angle").as_str()),
        ("'w' must be an integer, got: 'abc'", "")
    );
    assert_eq!(ann.used().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_does_what_the_form_does_in_every_language() {
    let world = World::start().await;
    let ann = world.customer("ann", 9).await;
    let folder = tempfile::tempdir().unwrap();
    let file = picture(folder.path());
    let browser = Browser::start();
    let page = browser.page(world.app.public, "en");
    open(&page);
    // A field that reaches the backend as it is, and that means something to shells and to curl.
    page.fill(&format!("{CUT}-w"), "32");
    page.fill(&format!("{CUT}-bg_color"), "red");
    let wrong = "@x'; touch hacked; $(touch hacked) \"`touch hacked`\\";
    page.evaluate("document.querySelector('#removeBackground-format').value = 'png'");
    let python = in_repository(".cache/venv/bin/python3");
    for (at, (language, ending)) in
        [(Path::new("bash"), "sh"), (&python, "py"), (Path::new("node"), "mjs")].into_iter().enumerate()
    {
        page.click(&format!("{CUT} .code-head button:nth-child({})", at + 1));
        let run = |name: &str| {
            let code = page.text(&format!("{CUT} .code-head + pre code"));
            assert!(code.contains("YOUR_API_KEY_HERE") && !code.contains("rembg.com/"), "{code}");
            let code = code.replace("YOUR_API_KEY_HERE", &ann.headers[0].1);
            let script = folder.path().join(format!("{name}.{ending}"));
            fs::write(&script, code.replace("/path/to/image.jpg", file.to_str().unwrap())).unwrap();
            let mut command = program(language);
            let said =
                command.arg(&script).current_dir(folder.path()).env("PYTHONIOENCODING", "utf-8").output().unwrap();
            assert!(said.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&said.stderr));
            let _ = fs::remove_file(folder.path().join("output.webp"));
            said
        };
        page.fill(&format!("{CUT}-bg_color"), "red");
        run("good");
        let seen = world.backend.seen().pop().unwrap().text();
        assert!(
            seen.contains("name=\"w\"\r\n\r\n32\r\n") && seen.contains("name=\"bg_color\"\r\n\r\nred\r\n"),
            "{seen}"
        );
        assert_eq!(world.backend.seen().len(), at + 1, "it was served once");
        page.fill(&format!("{CUT}-bg_color"), wrong);
        run("wrong");
        let name = folder.path().join("hacked");
        assert!(!name.exists(), "{ending}");
        assert_eq!(world.backend.seen().len(), at + 1, "no colour, and so not sent on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_backend_says_runs_nothing() {
    let world = World::with(|config| config.pages.title = "<img src=x onerror=alert(1)>".into()).await;
    let ann = world.customer("ann", 9).await;
    let folder = tempfile::tempdir().unwrap();
    let browser = Browser::start();
    let page = browser.page(world.app.public, "en");
    page.expects("status of 400");
    page.expects("status of 502");
    open(&page);
    page.use_key(&ann.headers[0].1);
    page.choose(&format!("{CUT}-image"), &picture(folder.path()));
    let script = "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(2)\"><script>alert(3)</script></svg>";
    let message = json!({"error": "<img src=x onerror=alert(4)>", "status": 400}).to_string();
    for (at, (status, content_type, body)) in [
        (200, "image/svg+xml", script.to_owned()),
        (200, "text/html", script.to_owned()),
        (200, "text/html", format!("BM{script}")),
        (400, "application/json", message),
    ]
    .into_iter()
    .enumerate()
    {
        world.backend.will(Manner::Answer { status, content_type, body: body.into_bytes() });
        page.evaluate("document.querySelector('#removeBackground .result').replaceChildren()");
        send(&page, CUT);
        page.sees(&format!("{CUT} .result h4"));
        let opened = "document.querySelectorAll('#operations :is(svg, img, script, iframe, object)').length";
        assert_eq!(page.evaluate(opened), 0, "{at}: {content_type}");
    }
    page.is_well("hostile answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_away_is_told_in_words() {
    let world = World::start().await;
    let browser = Browser::start();
    let page = browser.page(world.app.public, "en");
    page.expects("ERR_");
    open(&page);
    world.app.stop().await;
    send(&page, USAGE);
    page.reads(&format!("{USAGE} .result"), "There was no answer");
    page.is_well("away");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_used_with_the_keyboard_alone() {
    let world = World::start().await;
    let browser = Browser::start();
    let page = browser.page(world.app.public, "en");
    open(&page);
    page.press("Tab", 9);
    assert_eq!(page.evaluate("document.activeElement.className"), "skip");
    page.press("Enter", 13);
    page.until("document.activeElement.id === 'main'");
    // Everything that can be pressed is reached by tabbing, and nothing holds the focus.
    let seen = |name: &str| page.evaluate(name).as_str().unwrap().to_owned();
    let mut reached = Vec::new();
    for _ in 0..400 {
        page.press("Tab", 9);
        reached.push(seen("document.activeElement.id || document.activeElement.textContent.slice(0, 40)"));
        if reached.last().unwrap() == "openapiYaml-X-Request-Id" {
            break;
        }
    }
    for name in ["key", "Use this key", "removeBackground-image", "Send the request", "Python", "Copy"] {
        assert!(reached.iter().any(|one| one == name), "{name}: {reached:?}");
    }
    assert_eq!(reached.last().unwrap(), "openapiYaml-X-Request-Id", "{reached:?}");
}
