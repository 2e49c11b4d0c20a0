//! Both languages of the pages for people.

use crate::{people::Reply, support::browser::Browser, world::World};
use hyper::Method;

fn language_of(page: &Reply) -> String {
    let text = String::from_utf8_lossy(&page.body).into_owned();
    text.split("<html lang=\"").nth(1).unwrap()[..2].to_owned()
}

#[tokio::test]
async fn a_page_is_in_the_readers_language_from_its_first_byte() {
    let world = World::start().await;
    let reader = world.stranger();
    for path in ["/", "/usage"] {
        let get = async |path: &str, accepted: &str| {
            reader.ask(Method::GET, path, &[("accept-language", accepted)], Vec::new()).await
        };
        let (english, vietnamese) = (get(path, "de, en;q=0.5").await, get(path, "vi-VN,vi;q=0.9").await);
        assert_eq!((language_of(&english), language_of(&vietnamese)), ("en".into(), "vi".into()), "{path}");
        let varies = vietnamese.headers.get_all("vary").iter().any(|by| by == "accept-language");
        assert!(varies, "{path}: {vietnamese:?}");
        let chosen = get(&format!("{path}?lang=vi"), "en").await;
        assert_eq!(language_of(&chosen), "vi", "{path}");
        // Each has a tag of its own, so that no cache takes one for the other.
        let tags = [&english, &vietnamese, &chosen].map(|page| page.header("etag").unwrap().to_owned());
        assert!(tags[0] != tags[1] && tags[0] != tags[2] && tags[1] != tags[2], "{path}: {tags:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_switches_stays_in_that_language_on_the_other_page() {
    let world = World::start().await;
    let browser = Browser::start();
    let page = browser.page(world.app.public, "en");
    page.open("/usage");
    page.reads("h1", "Usage");
    page.click(".languages [lang=vi]");
    page.reads("h1", "Mức sử dụng");
    page.click(".pages a[href^='/?']");
    page.reads("h1", "Xóa nền ảnh");
    assert_eq!(page.evaluate("document.documentElement.lang"), "vi");
    page.is_well("the page to try it, in Vietnamese");
}
