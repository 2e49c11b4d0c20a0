//! Pictures of the dashboards, drawn from their queries. They are kept where `REMBG_GATEWAY_DRAW` says, such as
//! `docs/dashboards`, and thrown away otherwise.

use super::prometheus::{Prometheus, now};
use crate::support::programs::{output, program};
use std::{env, fs, path::PathBuf};

pub(super) async fn every_dashboard(prometheus: &Prometheus) {
    let scratch = tempfile::tempdir().unwrap();
    let kept = env::var_os("REMBG_GATEWAY_DRAW").map_or_else(|| scratch.path().to_path_buf(), PathBuf::from);
    fs::create_dir_all(&kept).unwrap();
    let (start, end) = (prometheus.started.to_string(), now().to_string());
    for name in ["service", "credits", "saturation", "dependencies"] {
        let (page, picture) = (scratch.path().join(format!("{name}.html")), kept.join(format!("{name}.png")));
        let board = format!("grafana/dashboards/{name}.json");
        let mut draw = program("python3");
        draw.args(["-B", "tests/dashboards/draw.py", &format!("http://{}", prometheus.address), &board, &start, &end]);
        let size = output(draw.arg(&page), "");
        let mut browser = program(chromium());
        browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]);
        browser.arg(format!("--user-data-dir={}", scratch.path().join("profile").display()));
        browser.arg(format!("--window-size={}", size.trim().replace(' ', ",")));
        browser.arg(format!("--screenshot={}", picture.display()));
        output(browser.arg(format!("file://{}", page.display())), "");
        let drawn = fs::read_to_string(&page).unwrap();
        assert_eq!(drawn.matches("No data").count(), 0, "{name}: a panel is empty");
        let (width, height) = image::image_dimensions(&picture).unwrap();
        assert_eq!(format!("{width} {height}"), size.trim(), "{name}");
    }
    tokio::task::yield_now().await;
}

fn chromium() -> &'static str {
    let there = |name: &&&str| env::split_paths(&env::var_os("PATH").unwrap()).any(|folder| folder.join(name).exists());
    ["chromium", "chromium-browser", "google-chrome"].iter().find(there).expect("chromium; run tests/tools.sh")
}
