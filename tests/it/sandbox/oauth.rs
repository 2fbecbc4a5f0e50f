//! Codes and refresh tokens that work once, tokens that expire, and grants that end.

use super::{Stage, read};
use contacts_gateway::sandbox::{DEMO_CONTACT, Fault, OAuthInfo, Options, SCOPES, Variant};
use reqwest::header::LOCATION;
use serde_json::{Value, json};
use std::time::Duration;

async fn stage(quirks: &str) -> (Stage, OAuthInfo) {
    let quirks = quirks.parse().unwrap();
    let stage = Stage::new(Options { contacts: 5, oauth: true, quirks, ..Options::default() }).await;
    let app = stage.sandbox.info().oauth.clone().unwrap();
    (stage, app)
}

fn form(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

async fn token(stage: &Stage, app: &OAuthInfo, more: &[(&str, &str)]) -> (u16, Value) {
    let client = [("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.as_str())];
    let body = form(&[&client, more].concat());
    let request = stage.client.post(stage.sandbox.url() + "/oauth/token");
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
    read(request.send().await.unwrap()).await
}

async fn refresh(stage: &Stage, app: &OAuthInfo, token: &str) -> (u16, Value) {
    self::token(stage, app, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

async fn reconnect(stage: &Stage, app: &OAuthInfo) -> (u16, Value) {
    let body = json!({"clientKey": app.client_id, "clientSecret": app.client_secret, "locationId": stage.location});
    let request = stage.client.post(stage.sandbox.url() + "/oauth/reconnect").body(body.to_string());
    read(request.send().await.unwrap()).await
}

fn text<'a>(body: &'a Value, key: &str) -> &'a str {
    body[key].as_str().unwrap_or_else(|| panic!("no {key} in {body}"))
}

async fn reads(stage: &Stage, access: &str) -> (u16, Value) {
    let call = stage.bare(&format!("/contacts/{DEMO_CONTACT}")).bearer_auth(access).header("version", "2021-07-28");
    read(call.send().await.unwrap()).await
}

#[tokio::test]
async fn without_an_app_there_are_no_such_paths() {
    let stage = Stage::with("").await;
    assert_eq!(stage.control("info").await["oauth"], Value::Null);
    let answer = stage.client.post(stage.sandbox.url() + "/oauth/token").body("a=b").send().await.unwrap();
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_reuse_ends_the_grant() {
    let (stage, app) = stage("").await;
    let (status, first) = refresh(&stage, &app, &app.refresh_token).await;
    assert_eq!((status, text(&first, "userType"), text(&first, "locationId")), (200, "Location", &*stage.location));
    assert_eq!((first["expires_in"].as_u64(), text(&first, "scope")), (Some(86_399), SCOPES));
    assert_eq!(reads(&stage, text(&first, "access_token")).await.0, 200);
    let (status, second) = refresh(&stage, &app, text(&first, "refresh_token")).await;
    assert_eq!(status, 200);
    assert_eq!(reads(&stage, text(&first, "access_token")).await.0, 200, "an older access token lives out its day");
    let (status, refused) = refresh(&stage, &app, &app.refresh_token).await;
    assert_eq!((status, &refused["error"]), (400, &json!("invalid_grant")));
    for pair in [&first, &second] {
        assert_eq!(reads(&stage, text(pair, "access_token")).await.1["message"], "Invalid JWT");
    }
    assert_eq!(refresh(&stage, &app, text(&second, "refresh_token")).await.0, 400, "the newest went along");
}

#[tokio::test]
async fn an_access_token_expires_by_the_sandboxs_own_clock() {
    let (stage, app) = stage("").await;
    let (_, pair) = refresh(&stage, &app, &app.refresh_token).await;
    let access = text(&pair, "access_token");
    stage.sandbox.advance(Duration::from_secs(86_300));
    assert_eq!(reads(&stage, access).await.0, 200);
    let url = stage.sandbox.url() + "/__sandbox/advance";
    assert_eq!(stage.client.post(&url).body("100").send().await.unwrap().status(), 200);
    assert_eq!(stage.client.post(&url).body("soon").send().await.unwrap().status(), 400);
    assert_eq!(reads(&stage, access).await.1["message"], "Invalid JWT");
    let (_, next) = refresh(&stage, &app, text(&pair, "refresh_token")).await;
    assert_eq!(reads(&stage, text(&next, "access_token")).await.0, 200);
    let expire = stage.client.post(stage.sandbox.url() + "/__sandbox/expire").send().await.unwrap();
    assert_eq!(expire.status(), 200);
    assert_eq!(reads(&stage, text(&next, "access_token")).await.0, 401);
    assert_eq!(reads(&stage, &stage.token).await.0, 200, "a private integration's does not expire");
}

#[tokio::test]
async fn a_code_works_once_and_consent_gives_another() {
    let (stage, app) = stage("").await;
    let redeem = |code: String| {
        let (stage, app) = (&stage, &app);
        async move { token(stage, app, &[("grant_type", "authorization_code"), ("code", &code)]).await }
    };
    assert_eq!(redeem(app.code.clone()).await.0, 200);
    assert_eq!(redeem(app.code.clone()).await.1["error"], "invalid_grant");
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let query = form(&[
        ("response_type", "code"),
        ("client_id", &app.client_id),
        ("redirect_uri", "http://127.0.0.1:1/back"),
        ("state", "s%20t"),
    ]);
    let page = format!("{}/v2/oauth/chooselocation?{query}", stage.sandbox.url());
    let answer = browser.get(&page).send().await.unwrap();
    let back = reqwest::Url::parse(answer.headers()[LOCATION].to_str().unwrap()).unwrap();
    let pairs: Vec<(String, String)> = back.query_pairs().into_owned().collect();
    assert_eq!((back.path(), pairs[1].1.as_str()), ("/back", "s t"));
    assert_eq!(redeem(pairs[0].1.clone()).await.0, 200);
    assert_eq!(browser.get(page.replace("client_id=app", "client_id=other")).send().await.unwrap().status(), 422);
}

#[tokio::test]
async fn what_is_refused_uses_no_token_up() {
    let (stage, app) = stage("").await;
    let wrong = OAuthInfo { client_secret: "wrong".into(), ..app.clone() };
    assert_eq!(refresh(&stage, &wrong, &app.refresh_token).await.1["error"], "invalid_client");
    let grant = [("grant_type", "refresh_token"), ("refresh_token", app.refresh_token.as_str())];
    assert_eq!(token(&stage, &app, &[&grant[..], &[("user_type", "Nobody")]].concat()).await.0, 422);
    assert_eq!(token(&stage, &app, &[]).await.1["message"][0], "grant_type should not be empty");
    stage.sandbox.suspend(&stage.location, true);
    assert_eq!(refresh(&stage, &app, &app.refresh_token).await.1["message"], "Location is not active");
    stage.sandbox.suspend(&stage.location, false);
    assert_eq!(refresh(&stage, &app, &app.refresh_token).await.0, 200);
}

#[tokio::test]
async fn a_companys_token_reads_nothing_and_is_exchanged_for_the_locations() {
    let (stage, app) = stage("").await;
    let grant =
        [("grant_type", "refresh_token"), ("refresh_token", app.refresh_token.as_str()), ("user_type", "Company")];
    let (_, company) = token(&stage, &app, &grant).await;
    assert_eq!((text(&company, "userType"), company.get("locationId")), ("Company", None));
    let access = text(&company, "access_token");
    assert_eq!(reads(&stage, access).await.0, 401, "contacts are not the company's");
    let exchange = |bearer: &str, location: &str| {
        let body = form(&[("companyId", text(&company, "companyId")), ("locationId", location)]);
        let request = stage.client.post(stage.sandbox.url() + "/oauth/locationToken").bearer_auth(bearer);
        let request = request.header("version", "2021-07-28").body(body);
        async move { read(request.send().await.unwrap()).await }
    };
    let (status, location) = exchange(access, &stage.location).await;
    assert_eq!(status, 200);
    assert_eq!(reads(&stage, text(&location, "access_token")).await.0, 200);
    assert_eq!(exchange(access, "LOC_of_others").await.0, 400);
    let (status, body) = exchange(&stage.token, &stage.location).await;
    assert_eq!((status, &body["message"]), (403, &json!("Forbidden resource")));
    assert_eq!(exchange("at-dead", &stage.location).await.1["message"], "Invalid JWT");
}

#[tokio::test]
async fn an_app_that_lost_its_tokens_gets_a_code_while_it_is_installed() {
    let (stage, app) = stage("").await;
    let (status, body) = reconnect(&stage, &app).await;
    assert_eq!(status, 200);
    let code = [("grant_type", "authorization_code"), ("code", text(&body, "authorizationCode"))];
    assert_eq!(token(&stage, &app, &code).await.0, 200);
    stage.sandbox.uninstall(&stage.location);
    assert_eq!(reconnect(&stage, &app).await.0, 400);
    assert_eq!(refresh(&stage, &app, &app.refresh_token).await.0, 400);
    let (stage, app) = self::stage("no-reconnect").await;
    assert_eq!(reconnect(&stage, &app).await.0, 404);
}

#[tokio::test]
async fn each_401_and_403_can_be_asked_for_by_its_name() {
    let (stage, _) = stage("").await;
    let path = format!("/contacts/{DEMO_CONTACT}");
    for (name, status, message) in [
        ("invalid-jwt", 401, "Invalid JWT"),
        ("invalid-token", 401, "Invalid token: access token is invalid"),
        ("invalid-private-token", 401, "Invalid Private Integration token"),
        ("scope", 401, "The token is not authorized for this scope."),
        ("no-version", 401, "version header was not found."),
        ("bad-version", 401, "version header is invalid"),
        ("timed-out", 401, "Command timed out"),
        ("unauthorized", 401, "Unauthorized"),
        ("wrong-location", 403, "The token does not have access to this location."),
        ("forbidden", 403, "Forbidden resource"),
    ] {
        let rule = json!([{"route": "GET /contacts/{contactId}", "refusal": name, "times": 1}]);
        assert_eq!(stage.send_faults(&rule.to_string()).await.0, 200);
        let (seen, body) = stage.get(&path).await;
        assert_eq!((seen, text(&body, "message")), (status, message), "{name}");
    }
    let both = json!([{"route": "*", "refusal": "scope", "status": 500}]);
    assert_eq!(stage.send_faults(&both.to_string()).await.0, 400);
    stage.sandbox.fault(Fault::on("*").refuse(Variant::Forbidden));
    assert_eq!(stage.get(&path).await.0, 403);
}
