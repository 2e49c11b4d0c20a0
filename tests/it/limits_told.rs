//! Every answer after admission says what is left of the caller's limits, whatever the answer is.

use crate::{backend::Manner, form::Form, world::World};
use rembg_gateway::config::Bytes;

#[tokio::test]
async fn every_answer_after_admission_says_what_is_left_of_the_limits() {
    let world = World::with(|config| config.limits.max_answer = Bytes(64 << 10)).await;
    let ann = world.customer("ann", 99).await;
    let picture = Form::with_picture;
    for (manner, form, status) in [
        (Manner::refuses(400, "The backend knows better", ""), picture(), 400),
        (Manner::Answer { status: 400, content_type: "text/plain", body: b"?".to_vec() }, picture(), 400),
        (Manner::picture(), Form::empty(), 400),
        (Manner::Answer { status: 500, content_type: "text/plain", body: Vec::new() }, picture(), 502),
        (Manner::Close, picture(), 502),
        (Manner::Answer { status: 200, content_type: "image/webp", body: vec![0; 128 << 10] }, picture(), 502),
        (Manner::picture(), picture(), 200),
    ] {
        world.backend.will(manner.clone());
        let reply = ann.cut(&form).await;
        assert_eq!(reply.status, status, "{manner:?}");
        let policy = reply.header("ratelimit-policy").unwrap_or_else(|| panic!("{manner:?}: {reply:?}"));
        assert!(policy.starts_with(r#""burst";q="#) && policy.ends_with(r#""month";q=99"#), "{policy}");
        let left = reply.header("ratelimit").unwrap_or_else(|| panic!("{manner:?}: {reply:?}"));
        assert!(left.starts_with(r#""burst";r="#) && left.contains(r#""month";r=98;t="#), "{left}");
    }
}
