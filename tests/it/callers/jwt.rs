//! `GATEWAY_AUTH=jwt`: a token is looked at from all sides, and the issuer is not asked more often than it has to be.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::issuer::*;
use super::*;
use crate::redirects::{Redirector, STATUSES};

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("a file that can be written");
    file
}

async fn stage(keys: (&str, &str), more: &[(&str, &str)]) -> Stage {
    let mut settings = vec![("AUTH", "jwt"), keys, ("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", AUDIENCE)];
    settings.extend(more);
    Stage::set(&settings).await
}

async fn at_pem(pem: &NamedTempFile) -> Stage {
    stage(("JWT_PEM_FILE", pem.path().to_str().expect("a path")), &[]).await
}

async fn at_issuer(issuer: &Issuer) -> Stage {
    stage(("JWT_JWKS_URL", &issuer.url), &[]).await
}

fn here(stage: &Stage) -> String {
    stage.sandbox.info().location_id.clone()
}

async fn status(stage: &Stage, token: &str) -> u16 {
    stage.ask_as(token, None, WHO, json!({})).await.0
}

async fn is_refused(stage: &Stage, token: &str, what: &str) {
    let answer = stage.ask_as(token, None, NAME, json!({ "id": stage.ids()[0] })).await;
    assert_eq!(refusal(stage, &answer), refused(401, "UNAUTHENTICATED"), "{what}: {answer:?}");
}

#[tokio::test]
async fn each_token_that_is_wrong_in_one_thing_is_refused_without_a_call() {
    let signers = [Signer::ed("k"), Signer::ec("k"), Signer::rsa("k")];
    let others = [Signer::ed("k"), Signer::ec("k"), Signer::rsa("k")];
    for (signer, other) in signers.iter().zip(&others) {
        let pem = file(&signer.pem);
        let stage = at_pem(&pem).await;
        let l = &here(&stage);
        let id = json!({ "id": stage.ids()[0] });
        let good = signer.sign(&claims(l, &json!({})));
        let fine = [
            json!({}),
            json!({ "aud": ["x", AUDIENCE] }),
            json!({ "exp": "now-10", "nbf": "now+10" }),
            json!({ "scope": [READ] }),
            json!({ "locations": "*" }),
            json!({ "locations": format!("elsewhere {l}") }),
        ];
        for more in fine {
            let (status, answer) = stage.ask_as(&signer.sign(&claims(l, &more)), None, NAME, id.clone()).await;
            assert_eq!((status, answer.get("errors")), (200, None), "{more}");
        }
        stage.calls();

        for more in [
            json!({ "exp": "now-3600" }),
            json!({ "exp": "now-40" }),
            json!({ "exp": null }),
            json!({ "exp": "soon" }),
            json!({ "nbf": "now+3600" }),
            json!({ "aud": "other" }),
            json!({ "aud": ["other"] }),
            json!({ "aud": null }),
            json!({ "iss": "https://evil.example" }),
            json!({ "iss": null }),
        ] {
            is_refused(&stage, &signer.sign(&claims(l, &more)), &more.to_string()).await;
        }
        let parts: Vec<&str> = good.split('.').collect();
        let foreign = other.sign(&claims(l, &json!({ "sub": "root" })));
        let changed = foreign.split('.').nth(1).expect("claims");
        let right = claims(l, &json!({}));
        let hmac = |header| encode(&header, &right, &EncodingKey::from_secret(signer.pem.as_bytes())).expect("a token");
        let none = |alg: &str| forge(&json!({ "alg": alg, "typ": "JWT" }), &right, b"");
        let with = |header: Value| forge(&header, &right, b"signature");
        for (what, token) in [
            ("another's signature", other.sign(&right)),
            ("HMAC with the public key", hmac(Header::new(Algorithm::HS256))),
            ("HS512 with the public key", hmac(Header::new(Algorithm::HS512))),
            ("no algorithm", none("none")),
            ("no algorithm, written otherwise", none("None")),
            ("an unknown algorithm", with(json!({ "alg": "XX256" }))),
            (
                "another algorithm",
                with(json!({ "alg": if signer.algorithm == Algorithm::RS256 { "EdDSA" } else { "RS256" } })),
            ),
            ("a key that comes along", with(json!({ "alg": "ES256", "jwk": { "kty": "oct", "k": "AAAA" } }))),
            ("changed claims", format!("{}.{changed}.{}", parts[0], parts[2])),
            ("no signature", format!("{}.{}.", parts[0], parts[1])),
            ("two parts", format!("{}.{}", parts[0], parts[1])),
            ("four parts", format!("{good}.{}", parts[2])),
            ("something else", "not-a-token".to_owned()),
            ("too long", format!("{good}{}", "x".repeat(9000))),
        ] {
            is_refused(&stage, &token, what).await;
        }
        assert_eq!(status(&stage, &good).await, 200);
    }
}

#[tokio::test]
async fn a_token_opens_what_its_claims_say() {
    let (sandbox, ids, settings) = several(3).await;
    let signer = Signer::ed("k");
    let pem = file(&signer.pem);
    let auth = [
        ("AUTH", "jwt"),
        ("JWT_PEM_FILE", pem.path().to_str().expect("a path")),
        ("JWT_ISSUER", ISSUER),
        ("JWT_AUDIENCE", AUDIENCE),
        ("JWT_SCOPE_CLAIM", "https://claims.example/rights"),
        ("JWT_LOCATION_CLAIM", "places"),
    ];
    let stage = Stage::over(sandbox, &auth, Some(settings.path())).await;
    let [a, b, c] = [&*ids[0], &*ids[1], &*ids[2]];
    let ask = async |places: Value, rights: &str, location: Option<&str>| {
        let more = json!({ "places": places, "https://claims.example/rights": rights });
        stage.ask_as(&signer.sign(&claims("elsewhere", &more)), location, WHO, json!({})).await
    };
    for (places, location, seen) in [
        (json!([a]), None, a),
        (json!([a, b]), Some(b), b),
        (json!(format!("{a} {c}")), Some(c), c),
        (json!("*"), Some(c), c),
    ] {
        let (status, answer) = ask(places.clone(), READ, location).await;
        let told = &answer["data"]["gateway"];
        assert_eq!((status, &told["location"]["id"], &told["scopes"]), (200, &json!(seen), &json!([READ])), "{places}");
    }
    // A token that says nothing of locations was not made to open one.
    for (places, location) in [(json!([a]), Some(b)), (Value::Null, None), (Value::Null, Some(a)), (json!([]), Some(a))]
    {
        let answer = ask(places.clone(), READ, location).await;
        assert_eq!(refusal(&stage, &answer), refused(403, "FORBIDDEN"), "{places} {location:?}");
    }
    let answer = ask(json!([a, b]), READ, None).await;
    assert_eq!(refusal(&stage, &answer), refused(400, "BAD_USER_INPUT"));
    let message = answer.1["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains(a) && message.contains(b) && !message.contains(c), "{message}");

    let id = json!({ "id": stage.ids()[0] });
    let token = signer.sign(&claims("x", &json!({ "places": [a], "https://claims.example/rights": "openid" })));
    let (_, answer) = stage.ask_as(&token, None, NAME, id).await;
    assert_eq!(errors(&answer), one_error("contact", "FORBIDDEN"));
    assert_eq!(stage.calls().len(), 0);
}

#[tokio::test]
async fn keys_are_fetched_once_and_a_new_one_is_taken_up_while_an_old_one_goes() {
    let (old, new) = (Signer::ed("old"), Signer::rsa("new"));
    let issuer = Issuer::start(&[&old]).await;
    let stage = at_issuer(&issuer).await;
    let l = &here(&stage);
    let long = json!({ "exp": "now+86400" });
    let token_of = |signer: &Signer, n: u32| signer.sign(&claims(l, &json!({ "exp": "now+86400", "jti": n })));
    let tokens: Vec<String> = (0..30).map(|n| token_of(&old, n)).collect();
    let first = futures_util::future::join_all(tokens.iter().map(|token| status(&stage, token))).await;
    assert_eq!((first, issuer.hits()), (vec![200; 30], 1));

    issuer.publish(&[&old, &new]);
    stage.clock.advance(Duration::from_secs(16));
    assert_eq!(status(&stage, &new.sign(&claims(l, &long))).await, 200);
    assert_eq!((status(&stage, &tokens[0]).await, issuer.hits()), (200, 2));

    // Both tokens were good a moment ago, and are remembered.
    issuer.publish(&[&new]);
    stage.clock.advance(Duration::from_secs(61));
    let mut asked = 0;
    while status(&stage, &tokens[0]).await != 401 {
        // It is fetched behind the requests.
        asked += 1;
        assert!(asked < 10_000, "the key that was withdrawn still opens");
    }
    assert_eq!(status(&stage, &new.sign(&claims(l, &long))).await, 200);
    assert_eq!(issuer.hits(), 3);
}

/// Nothing says that there is another key but that the one that is held signed nothing of this.
#[tokio::test]
async fn a_new_key_under_an_old_name_or_without_one_is_found_as_soon() {
    for named in [Some("k"), None] {
        let (old, new) = (Signer::ed("k"), Signer::ed("k"));
        let issuer = Issuer::start(&[&old]).await;
        let stage = at_issuer(&issuer).await;
        let right = claims(&here(&stage), &json!({ "exp": "now+86400" }));
        let (first, second) = (old.sign_as(named, &right), new.sign_as(named, &right));
        assert_eq!((status(&stage, &first).await, issuer.hits()), (200, 1));
        issuer.publish(&[&new]);
        stage.clock.advance(Duration::from_secs(10));
        assert_eq!((status(&stage, &second).await, issuer.hits()), (401, 1), "no fetch so soon after the last");
        stage.clock.advance(Duration::from_secs(6));
        assert_eq!((status(&stage, &second).await, issuer.hits()), (200, 2), "{named:?}");
        assert_eq!((status(&stage, &first).await, issuer.hits()), (401, 2), "the old one is gone");
    }
}

#[tokio::test]
async fn a_withdrawn_key_opens_nothing_after_a_long_silence() {
    let (old, new) = (Signer::ed("old"), Signer::ed("new"));
    let issuer = Issuer::start(&[&old]).await;
    let stage = at_issuer(&issuer).await;
    let token = old.sign(&claims(&here(&stage), &json!({ "exp": "now+86400" })));
    assert_eq!(status(&stage, &token).await, 200);
    issuer.publish(&[&new]);
    stage.clock.advance(Duration::from_secs(301));
    assert_eq!(status(&stage, &token).await, 401);
}

#[tokio::test]
async fn unknown_key_ids_do_not_let_callers_hammer_the_issuer() {
    let (known, stranger) = (Signer::ed("known"), Signer::ed("stranger"));
    let issuer = Issuer::start(&[&known]).await;
    let stage = at_issuer(&issuer).await;
    let right = claims(&here(&stage), &json!({ "exp": "now+86400" }));
    assert_eq!(status(&stage, &known.sign(&right)).await, 200);
    let flood = async || {
        let tokens: Vec<String> = (0..40).map(|n| stranger.sign_as(Some(&format!("x{n}")), &right)).collect();
        let answers = futures_util::future::join_all(tokens.iter().map(|token| status(&stage, token))).await;
        assert_eq!(answers, vec![401; 40]);
    };
    flood().await;
    assert_eq!(issuer.hits(), 1);
    stage.clock.advance(Duration::from_secs(16));
    flood().await;
    flood().await;
    assert_eq!(issuer.hits(), 2);
    assert_eq!(status(&stage, &known.sign(&right)).await, 200);
    // A stranger who takes the name of a key, or names none.
    assert_eq!(status(&stage, &stranger.sign_as(Some("known"), &right)).await, 401);
    assert_eq!(status(&stage, &stranger.sign_as(None, &right)).await, 401);
    assert_eq!(status(&stage, &known.sign_as(None, &right)).await, 200);
    assert_eq!(issuer.hits(), 2);
}

#[tokio::test]
async fn while_the_issuer_is_down_its_last_keys_go_on_and_without_any_it_is_not_the_callers_fault() {
    let signer = Signer::ed("k");
    let issuer = Issuer::start(&[&signer]).await;
    issuer.break_down();
    let stage = at_issuer(&issuer).await;
    let right = claims(&here(&stage), &json!({ "exp": "now+86400" }));
    let token = signer.sign(&right);
    let answer = stage.ask_as(&token, None, WHO, json!({})).await;
    assert_eq!(refusal(&stage, &answer), refused(503, "UPSTREAM_UNAVAILABLE"));

    issuer.publish(&[&signer]);
    stage.clock.advance(Duration::from_secs(2));
    assert_eq!(status(&stage, &token).await, 200);
    for broken in [
        None,
        Some(json!({ "keys": [] })),
        Some(json!("nonsense")),
        Some(json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] })),
    ] {
        match broken {
            None => issuer.break_down(),
            Some(text) => issuer.publish_text(text),
        }
        let before = issuer.hits();
        stage.clock.advance(Duration::from_secs(3600));
        let other = signer.sign(&claims(&here(&stage), &json!({ "exp": "now+86400", "jti": before })));
        for _ in 0..5 {
            assert_eq!((status(&stage, &token).await, status(&stage, &other).await), (200, 200));
        }
        assert_eq!(issuer.hits(), before + 1);
    }
}

#[tokio::test]
async fn a_remembered_token_ends_when_it_says() {
    let signer = Signer::ed("k");
    let issuer = Issuer::start(&[&signer]).await;
    let stage = at_issuer(&issuer).await;
    let token = signer.sign(&claims(&here(&stage), &json!({ "exp": "now+20" })));
    assert_eq!(status(&stage, &token).await, 200);
    stage.clock.advance(Duration::from_secs(45));
    assert_eq!(status(&stage, &token).await, 200);
    stage.clock.advance(Duration::from_secs(10));
    assert_eq!(status(&stage, &token).await, 401);
}

#[tokio::test]
async fn keys_of_a_file_can_be_exchanged_and_several_can_be_good_at_once() {
    let (one, two) = (Signer::ed("1"), Signer::rsa("2"));
    let pem = file(&one.pem);
    let stage = at_pem(&pem).await;
    let right = claims(&here(&stage), &json!({ "exp": "now+86400" }));
    let (first, second) = (one.sign(&right), two.sign(&right));
    let both = async || (status(&stage, &first).await, status(&stage, &second).await);
    assert_eq!(both().await, (200, 401));
    for (text, want) in [
        (format!("{}\n{}", one.pem, two.pem), (200, 200)),
        (two.pem.clone(), (401, 200)),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----".to_owned(), (401, 200)),
    ] {
        std::fs::write(pem.path(), text).expect("a file that can be written");
        stage.clock.advance(Duration::from_millis(1100));
        assert_eq!(both().await, want);
    }
}

#[tokio::test]
async fn a_redirect_of_the_issuer_is_not_followed() {
    let redirector = Redirector::start().await;
    let url = format!("{}/jwks", redirector.url);
    for (status, place) in STATUSES.into_iter().zip(redirector.places()) {
        redirector.point(status, &place);
        let stage = stage(("JWT_JWKS_URL", &url), &[]).await;
        let token = Signer::ed("k").sign(&claims(&here(&stage), &json!({})));
        let answer = stage.ask_as(&token, None, NAME, json!({ "id": stage.ids()[0] })).await;
        assert_eq!(refusal(&stage, &answer), refused(503, "UPSTREAM_UNAVAILABLE"), "{status} {place}: {answer:?}");
        assert_eq!(redirector.asked(), ["GET /jwks"], "{status} {place}");
    }
}
