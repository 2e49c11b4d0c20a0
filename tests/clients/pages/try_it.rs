//! `/`: trying it.

use crate::{
    backend::Manner,
    form,
    support::{
        browser::{Browser, Page},
        programs::in_repository,
    },
    world::World,
};
use rembg_gateway::{
    config::BackendKind,
    domain::{complaint::Complaint, rate_limit::Burst},
};
use std::path::Path;

/// Makes the stub backend answer with a picture that a browser can show.
fn will_cut(world: &World) {
    world.backend.will(Manner::Answer { status: 200, content_type: "image/png", body: form::png(40, 30) });
}

/// Takes the sample picture.
fn with_sample(page: &Page<'_>) {
    page.click("#sample");
    page.sees("#before");
}

fn key_of(person: &crate::people::Person) -> &str {
    &person.headers[0].1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_loses_its_background_and_costs_what_the_usage_page_shows() {
    let world = World::with(|config| {
        config.backend.kind = BackendKind::Builtin;
        config.backend.urls = Vec::new();
    })
    .await;
    let ann = world.customer("ann", 9).await;
    let browser = Browser::start();
    let page = browser.page(world.app.public, "en");
    page.open("/");
    page.reads("#allowance", "This server wants a key");
    page.is_well("empty");
    page.use_key(key_of(&ann));
    page.sees("#key-held");
    assert!(page.evaluate("location.href").as_str().unwrap().ends_with('/'), "the key is in no address");
    with_sample(&page);
    page.fill("#w", "400");
    page.evaluate("document.querySelector('#format').value = 'png'");
    page.is_well("a picture is chosen");
    page.click("#submit");
    page.reads("#facts", "400 × 320");
    page.reads("#facts", "1 credit");
    page.reads("#allowance", "Credits left: 8.");
    // The picture that is shown, pixel by pixel: the corner is transparent, the middle is not.
    let seen = page.evaluate(
        "(() => {
          const after = document.querySelector('#after');
          const canvas = new OffscreenCanvas(after.naturalWidth, after.naturalHeight);
          const drawn = canvas.getContext('2d');
          drawn.drawImage(after, 0, 0);
          const { data } = drawn.getImageData(0, 0, canvas.width, canvas.height);
          const opacity = (x, y) => data[(y * canvas.width + x) * 4 + 3];
          return [canvas.width, canvas.height, opacity(0, 0) < 8, opacity(200, 160) > 247];
        })()",
    );
    assert_eq!(seen, serde_json::json!([400, 320, true, true]));
    assert_eq!(page.evaluate("document.querySelector('#download').download"), "mug-cutout.png");
    // The slider works by keyboard, and says where it is.
    page.evaluate("document.querySelector('#split').focus()");
    page.press("ArrowRight", 39);
    assert_eq!(page.evaluate("document.querySelector('#split').ariaValueText"), "51 % original");
    page.click("#ground [value=black]");
    assert_eq!(page.evaluate("getComputedStyle(document.querySelector('#canvas')).backgroundColor"), "rgb(0, 0, 0)");
    page.is_well("cut out");

    assert_eq!(ann.used().await, 1);
    page.open("/usage");
    page.reads("#left", "8");
    page.reads("#gauge-api", "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_can_be_dropped_and_pasted() {
    let world = World::start().await;
    let browser = Browser::start();
    let page = browser.page(world.app.public, "en");
    page.open("/");
    for (name, event) in [
        ("dropped.png", "new DragEvent('drop', { dataTransfer: files, cancelable: true })"),
        ("pasted.png", "new ClipboardEvent('paste', { clipboardData: files })"),
    ] {
        let bytes = serde_json::json!(form::png(4, 3));
        page.evaluate(&format!(
            "(() => {{
              const files = new DataTransfer();
              files.items.add(new File([new Uint8Array({bytes})], '{name}', {{ type: 'image/png' }}));
              dispatchEvent({event});
            }})()"
        ));
        page.reads("#chosen", name);
        page.until("document.querySelector('#before').naturalWidth === 4");
        assert!(page.text("#code").contains(name));
    }
    page.is_well("dropped and pasted");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_going_on_is_shown_and_can_be_given_up() {
    let world = World::start().await;
    let ann = world.customer("ann", 9).await;
    world.backend.will(Manner::Wait);
    let browser = Browser::start();
    let page = browser.page(world.app.public, "en");
    page.open("/");
    page.use_key(key_of(&ann));
    with_sample(&page);
    page.click("#submit");
    page.reads("#phase", "The picture is being cut out");
    page.is_well("under way");
    page.click("#cancel");
    page.reads("#status", "Cancelled");
    assert_eq!(page.evaluate("document.querySelector('#busy').hidden"), true);
    // The next one is served as ever, by a backend whose picture no browser can read.
    world.backend.let_one_go();
    world.backend.will(Manner::picture());
    page.click("#submit");
    page.reads("#status", "this browser cannot read it");
    page.sees("#download");
    page.is_well("cannot be shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_is_told_beside_its_field_and_costs_nothing() {
    let world = World::start().await;
    let ann = world.customer("ann", 9).await;
    let browser = Browser::start();
    for (language, words) in [
        (
            "en",
            ["'w' must be an integer, got: 'abc'", "between -360 and 360 degrees, got: 500.0", "Invalid color format"],
        ),
        ("vi", ["'w' phải là số nguyên, nhận được: 'abc'", "phải từ -360 đến 360 độ", "Định dạng màu '#12345'"]),
    ] {
        let page = browser.page(world.app.public, language);
        page.expects("status of 400");
        page.open("/");
        page.click("#submit");
        page.sees("#image-error");
        page.use_key(key_of(&ann));
        with_sample(&page);
        for (field, value) in [("#w", "abc"), ("#angle", "500"), ("#bg_color", "#12345")] {
            page.fill(field, value);
        }
        page.click("#submit");
        for (field, words) in ["w", "angle", "bg_color"].into_iter().zip(words) {
            page.reads(&format!("#{field}-error"), words);
            let told = format!("document.querySelector('#{field}').getAttribute('aria-describedby')");
            assert!(page.evaluate(&told).as_str().unwrap().contains(&format!("{field}-error")), "{field}");
        }
        assert_eq!(page.evaluate("document.activeElement.id"), "w", "where the first mistake is");
        assert_eq!(page.evaluate("document.querySelectorAll('.fault:not([hidden])').length"), 3);
        page.is_well("three mistakes");
        // A single one is not listed by the API, and is told beside its field all the same.
        page.fill("#w", "");
        page.fill("#bg_color", "");
        page.click("#submit");
        page.reads("#angle-error", words[1]);
        assert_eq!(page.evaluate("document.querySelectorAll('.fault:not([hidden])').length"), 1);
        assert_eq!(page.evaluate("document.activeElement.id"), "angle");
    }
    assert!(world.backend.seen().is_empty());
    assert_eq!(ann.used().await, 0);
}

/// One of every kind that a form can get.
fn every_complaint() -> Vec<Complaint> {
    let awkward = || "<'x'>\n y".to_owned();
    vec![
        Complaint::NoImage,
        Complaint::NoFileSelected,
        Complaint::UnsupportedType(awkward()),
        Complaint::CorruptImage,
        Complaint::EmptyFile,
        Complaint::FileTooLarge(57_881_395),
        Complaint::TooWide(12_000),
        Complaint::TooTall(15_000),
        Complaint::NotAnInteger("w", awkward()),
        Complaint::BelowRange("h", 1, "-5".into()),
        Complaint::AboveRange("w", 10_000, "15000".into()),
        Complaint::OutsideRange("h", 1, 9_999, "0".into()),
        Complaint::NotANumber("angle", awkward()),
        Complaint::AngleOutOfRange(500.0),
        Complaint::BadFormat(awkward()),
        Complaint::BadColour(awkward()),
        Complaint::MaskWithColour,
        Complaint::NotABoolean("expand", awkward()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_complaint_finds_its_field_and_is_translated() {
    let world = World::start().await;
    let browser = Browser::start();
    let page = browser.page(world.app.public, "vi");
    page.open("/");
    for complaint in every_complaint() {
        let body = serde_json::json!({"error": complaint.message(), "status": 400});
        let found = page.evaluate(&format!(
            "(async () => {{
              const loaded = performance.getEntriesByType('resource').map((one) => one.name);
              const answers = await import(loaded.find((name) => name.includes('/answers.')));
              return answers.complaints({body});
            }})()"
        ));
        let [found] = found.as_array().unwrap().as_slice() else { panic!("{complaint:?}: {found}") };
        assert_eq!(found["field"], complaint.field(), "{complaint:?}");
        assert_eq!(found["spoken"], "", "{complaint:?} is translated");
        let words = found["words"].as_str().unwrap();
        assert!(!words.contains('{') && !words.contains("undefined"), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_reads_why() {
    let world = World::start().await;
    let (ann, broke) = (world.customer("ann", 9).await, world.customer("broke", 0).await);
    let browser = Browser::start();
    let page = browser.page(world.app.public, "en");
    for status in [401, 429, 502] {
        page.expects(&format!("status of {status}"));
    }
    page.expects("net::ERR_");
    page.open("/");
    with_sample(&page);
    page.click("#submit");
    page.reads("#key-error", "This server wants a key");
    page.use_key("nobodys-key-000000");
    page.click("#submit");
    page.reads("#key-error", "This server does not know this key");
    assert_eq!(page.evaluate("sessionStorage.length"), 0, "a wrong key is not kept");
    page.is_well("a wrong key");
    page.use_key(key_of(&broke));
    page.click("#submit");
    page.reads("#problem", "No credit is left");
    page.is_well("no credits");
    page.click("#key-forget");
    assert_eq!(page.evaluate("sessionStorage.length"), 0);
    page.use_key(key_of(&ann));
    world.backend.will(Manner::Close);
    page.click("#submit");
    page.reads("#problem", "You have not been charged");
    world.app.stop().await;
    page.click("#submit");
    page.reads("#problem", "The server cannot be reached");
    page.is_well("the gateway is away");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_one_reads_what_is_left_of_the_day() {
    let world = World::with(|config| {
        config.anonymous.per_day = 2;
        config.anonymous.burst = Burst { per_minute: 600, size: 100 };
    })
    .await;
    will_cut(&world);
    let browser = Browser::start();
    let page = browser.page(world.app.public, "en");
    page.expects("status of 429");
    page.open("/");
    page.reads("#allowance", "Without a key, this server cuts out 2 pictures a day");
    page.choose("#file", &in_repository("deploy/sample/mug.jpg"));
    page.sees("#before");
    page.click("#submit");
    page.reads("#allowance", "Left today: 1 of 2");
    page.reads("#facts", "40 × 30");
    page.is_well("without a key");
    page.click("#submit");
    page.reads("#allowance", "Left today: 0 of 2. The next day begins in 12 hours");
    page.click("#submit");
    page.reads("#problem", "Today's pictures are used up. The next day begins in 12 hours.");
    page.is_well("the day is used up");
    assert_eq!(world.backend.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_as_code_is_the_one_that_was_sent() {
    let world = World::start().await;
    let ann = world.customer("ann", 9).await;
    let browser = Browser::start();
    let page = browser.page(world.app.public, "en");
    page.open("/");
    page.use_key(key_of(&ann));
    with_sample(&page);
    page.fill("#bg_color", "it's \"red\" $(touch x)");
    page.fill("#w", "7");
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(in_repository("deploy/sample/mug.jpg"), folder.path().join("mug.jpg")).unwrap();
    let python = in_repository(".cache/venv/bin/python3");
    for (language, program) in [("curl", Path::new("bash")), ("python", &python), ("node", Path::new("node"))] {
        page.click(&format!("[name=sample][value={language}]"));
        let code = page.text("#code");
        assert!(code.contains("YOUR_API_KEY_HERE") && !code.contains(key_of(&ann)), "{code}");
        let code = code.replace("YOUR_API_KEY_HERE", key_of(&ann)).replace("/path/to", folder.path().to_str().unwrap());
        let file = folder.path().join(if language == "node" { "script.mjs" } else { "script" });
        std::fs::write(&file, code).unwrap();
        let mut command = std::process::Command::new(program);
        command.arg(&file).current_dir(folder.path());
        let output = tokio::task::block_in_place(|| command.output().unwrap());
        assert!(output.status.success(), "{language}: {}", String::from_utf8_lossy(&output.stderr));
        let told = [output.stdout, output.stderr, std::fs::read(folder.path().join("output.webp")).unwrap_or_default()];
        let told = String::from_utf8_lossy(&told.concat()).into_owned();
        // The colour is refused as it was typed, whatever it means to a shell.
        let typed = "Invalid color format 'it's \\\"red\\\" $(touch x)'";
        assert!(told.contains(typed), "{language}: {told}");
        assert!(!folder.path().join("x").exists(), "{language}");
    }
    page.is_well("code");
}
