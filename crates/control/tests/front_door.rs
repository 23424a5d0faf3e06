//! The front door: who comes in, and what they find.

mod support;

use reqwest::{Method, StatusCode};
use serde_json::json;
use support::{Api, GROUP, Site, group};

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_token_nothing_is_told() {
    let site = Site::start().await;
    let stranger = Api {
        token: "none".to_owned(),
        ..site.api.clone()
    };
    for path in [group(GROUP), "/nowhere".to_owned()] {
        let reply = stranger.get(&path).await.expect(StatusCode::UNAUTHORIZED);
        reply.refused("InvalidAuthenticationToken");
        let challenge = reply.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer authorization_uri="));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_made_found_and_deleted() {
    let site = Site::with_group().await;
    let path = group(GROUP);
    let body = site.api.get(&path).await.expect(StatusCode::OK).body;
    assert_eq!(
        body["properties"],
        json!({"provisioningState": "Succeeded"})
    );
    let head = site.api.send(Method::HEAD, &path, None).await;
    assert_eq!(head.status, StatusCode::NO_CONTENT);
    let gone = site.api.delete(&path).await.expect(StatusCode::ACCEPTED);
    site.api.result(&gone).await.expect(StatusCode::OK);
    let reply = site.api.get(&path).await.expect(StatusCode::NOT_FOUND);
    reply.refused("ResourceGroupNotFound");
}
