//! The disk takes no temporary file: a request that needs one is refused and not charged, and all others are served.

use crate::{
    backend::{Manner, PICTURE},
    form::{Form, png},
    gateway::Installation,
};

const BUSY: &str = "The service is busy. Please retry shortly.";

#[tokio::test]
async fn a_disk_that_takes_nothing_is_503_and_costs_nothing() {
    let here = Installation::new().await;
    let key = here.customer("ann", 2);
    let serving = here.serve();
    let person = serving.person(&key);
    std::fs::remove_dir(here.temporary()).unwrap();

    let mut file = png(4, 4);
    file.resize(3 << 20, 0);
    let upload = person.cut(&Form::empty().image("a.png", &file)).await;
    assert!(here.backend.seen().is_empty(), "the upload could not be held, and yet it was sent on");
    here.backend.will(Manner::Answer { status: 200, content_type: "image/png", body: file });
    let answer = person.cut(&Form::with_picture()).await;
    for refused in [upload, answer] {
        assert_eq!((refused.status, refused.error().as_str()), (503, BUSY));
        assert!(refused.header("retry-after").is_some());
    }
    assert_eq!(here.json(&["usage", "ann"])["api"], 0);

    here.backend.will(Manner::picture());
    for _ in 0..2 {
        let small = person.cut(&Form::with_picture()).await;
        assert_eq!((small.status, &small.body[..]), (200, PICTURE), "what fits in memory needs no disk");
    }
    here.json(&["audit", "ann"]);
}
