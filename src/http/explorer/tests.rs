//! Both pages, GraphiQL and the small one, as a client sees them.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use tower::ServiceExt;

use super::*;

/// Both pages, whichever of them this build serves.
fn pages() -> Vec<(Router, &'static [Asset])> {
    let mut all = vec![(serving(FALLBACK, "fallback.html", ""), FALLBACK), (routes(), FALLBACK)];
    if !BUILT.is_empty() {
        all[1].1 = BUILT;
    }
    all
}

async fn get(app: &Router, path: &str, headers: &[(HeaderName, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let answer = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (head, body) = answer.into_parts();
    (head.status, head.headers, to_bytes(body, usize::MAX).await.unwrap().to_vec())
}

#[tokio::test]
async fn the_page_names_graphiql_and_lets_nothing_in_from_elsewhere() {
    for (app, _) in pages() {
        let (status, head, body) = get(&app, "/", &[]).await;
        let html = String::from_utf8(body).unwrap();
        assert_eq!(status, StatusCode::OK);
        assert_eq!(head[CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(html.contains("GraphiQL") && !html.contains("<script>") && !html.contains("//"), "{html}");
        assert_eq!(head[CACHE_CONTROL], "no-cache");
        assert_eq!(head[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(head[REFERRER_POLICY], "no-referrer");
        assert_eq!(head[X_FRAME_OPTIONS], "DENY");
        assert_eq!(
            (&head[OPENER_POLICY], &head[RESOURCE_POLICY]),
            (&"same-origin".parse().unwrap(), &"same-origin".parse().unwrap())
        );
        let policy = head[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"));
    }
}

#[tokio::test]
async fn every_file_that_a_page_refers_to_is_served_in_both_forms() {
    for (app, assets) in pages() {
        let html = String::from_utf8(get(&app, "/", &[]).await.2).unwrap();
        let named: Vec<_> = html.split('"').filter_map(|s| s.find("explorer/").map(|at| &s[at..])).collect();
        assert!(named.len() >= 2, "{html}");
        for path in named {
            let address = format!("/{path}");
            let (status, head, plain) = get(&app, &address, &[]).await;
            assert_eq!(status, StatusCode::OK, "{address}");
            assert!(!head.contains_key(CONTENT_ENCODING) && head[VARY] == "accept-encoding");
            let (_, zipped, small) = get(&app, &address, &[(ACCEPT_ENCODING, "br, gzip;q=0.5")]).await;
            assert_eq!(zipped[CONTENT_ENCODING], "gzip");
            assert_ne!(zipped[ETAG], head[ETAG]);
            let mut inflated = Vec::new();
            GzDecoder::new(&small[..]).read_to_end(&mut inflated).unwrap();
            assert!(inflated == plain && assets.iter().any(|a| a.gzip == small), "{address}");
        }
    }
}

#[tokio::test]
async fn an_etag_that_the_client_has_saves_the_body() {
    for (app, _) in pages() {
        let etag = get(&app, "/", &[]).await.1[ETAG].to_str().unwrap().to_owned();
        for kept in [etag.clone(), format!("\"old\", W/{etag}"), "*".to_owned()] {
            let (status, head, body) = get(&app, "/", &[(IF_NONE_MATCH, &kept)]).await;
            assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
            assert!(head[ETAG] == etag && head[CACHE_CONTROL] == "no-cache" && !head.contains_key(CONTENT_TYPE));
        }
        assert_eq!(get(&app, "/", &[(IF_NONE_MATCH, "\"old\"")]).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_unknown_file_is_404() {
    for (app, _) in pages() {
        for path in ["/explorer/none.js", "/explorer/../Cargo.toml", "/explorer/explorer/index.html"] {
            assert_eq!(get(&app, path, &[]).await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }
}

#[test]
fn gzip_is_sent_to_those_that_take_it() {
    let cases = [("gzip", true), ("GZIP, br", true), ("*", true), ("gzip;q=0, *", false), ("gzip; q=0.0", false)];
    for (asked, takes) in cases.into_iter().chain([("br", false), ("identity", false)]) {
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(asked))]);
        assert_eq!(takes_gzip(&headers), takes, "{asked}");
    }
    assert!(!takes_gzip(&HeaderMap::new()));
}
