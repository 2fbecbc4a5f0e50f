//! `/oauth/...`: consent, tokens for codes and refresh tokens, a location's token for the company's.

use super::{
    answer::{Answer, Refusal},
    data::company_id,
    door,
    grant::{LIFE, Pair, UserType, Void},
    lock,
    server::Sent,
    world::World,
};
use axum::http::{StatusCode, Uri};
use serde_json::{Value, json};

type Answered = Result<Answer, Refusal>;

/// The names and values of a form.
struct Form(Vec<(String, String)>);

impl Form {
    fn of(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    fn require(&self, names: &[&str]) -> Result<(), Refusal> {
        let missing = names.iter().filter(|name| self.get(name).is_empty());
        let problems: Vec<_> = missing.map(|name| format!("{name} should not be empty")).collect();
        if problems.is_empty() { Ok(()) } else { Err(Refusal::Invalid(problems)) }
    }
}

/// `POST /oauth/token`.
pub(super) fn token(world: &World, sent: &Sent) -> Answered {
    let form = Form::of(sent.body);
    form.require(&["client_id", "client_secret", "grant_type"])?;
    if !world.grants.knows(form.get("client_id"), form.get("client_secret")) {
        let body = json!({"error": "invalid_client", "error_description": "Client authentication failed"});
        return Ok(Answer::json(StatusCode::UNAUTHORIZED, &body));
    }
    let kind = match form.get("user_type") {
        "Company" => UserType::Company,
        "" | "Location" => UserType::Location,
        _ => return Err(Refusal::Invalid(vec!["user_type must be one of: Company, Location".into()])),
    };
    let pair = match form.get("grant_type") {
        "authorization_code" => world.grants.redeem_code(world, form.get("code"), kind),
        "refresh_token" => world.grants.redeem_refresh(world, form.get("refresh_token"), kind),
        _ => return Err(Refusal::Invalid(vec!["grant_type is not supported".into()])),
    };
    Ok(match pair {
        Ok(pair) => Answer::ok(&granted(world, &pair, kind)),
        Err(Void::Inactive) => {
            let body = json!({"statusCode": 400, "message": "Location is not active", "error": "Bad Request"});
            Answer::json(StatusCode::BAD_REQUEST, &body)
        }
        Err(Void::Invalid) => {
            let what = form.get("grant_type").replace('_', " ");
            let why = format!("This {what} is invalid");
            Answer::json(StatusCode::BAD_REQUEST, &json!({"error": "invalid_grant", "error_description": why}))
        }
    })
}

fn granted(world: &World, pair: &Pair, kind: UserType) -> Value {
    let mut body = json!({
        "access_token": pair.access,
        "token_type": "Bearer",
        "expires_in": LIFE.as_secs(),
        "refresh_token": pair.refresh,
        "companyId": company_id(),
        "userId": "us0001",
        "isBulkInstallation": false,
    });
    match kind {
        UserType::Location => {
            body["scope"] = json!(world.options.scopes.join(" "));
            body["userType"] = json!("Location");
            body["locationId"] = json!(pair.location);
        }
        UserType::Company => {
            body["scope"] = json!("oauth.write oauth.readonly");
            body["userType"] = json!("Company");
            body["approvedLocations"] = json!([pair.location]);
        }
    }
    body
}

/// `POST /oauth/locationToken`: with the company's token alone.
pub(super) fn location_token(world: &World, sent: &Sent) -> Answered {
    door::version(sent.headers)?;
    let credential = door::opened_by(world, sent.headers)?;
    if !credential.location.is_empty() {
        return Err(Refusal::Forbidden);
    }
    let form = Form::of(sent.body);
    form.require(&["companyId", "locationId"])?;
    let location = form.get("locationId");
    if form.get("companyId") != company_id() || !lock::read(&world.store).contains_key(location) {
        return Err(Refusal::Missing { what: "Location", id: location.into() });
    }
    let access = world.grants.location_token(world, location);
    Ok(Answer::ok(&json!({
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": LIFE.as_secs(),
        "scope": world.options.scopes.join(" "),
        "locationId": location,
        "userId": "us0001",
    })))
}

/// `POST /oauth/reconnect`: a new code for an app that lost its tokens.
pub(super) fn reconnect(world: &World, sent: &Sent) -> Answered {
    if world.options.quirks.no_reconnect {
        return Ok(Answer::nothing_here());
    }
    let body: Value = serde_json::from_slice(sent.body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    if !world.grants.knows(text("clientKey"), text("clientSecret")) {
        return Err(Refusal::Unauthorized("Invalid client"));
    }
    let is_companys = text("companyId") == company_id();
    match world.grants.reconnect(Some(text("locationId")).filter(|_| !is_companys)) {
        Some(code) => Ok(Answer::ok(&json!({
            "authorizationCode": code,
            "expiresAt": "2026-06-15T15:10:00.000Z",
            "traceId": sent.trace,
        }))),
        None => Err(Refusal::Missing { what: "Installation", id: text("locationId").into() }),
    }
}

/// `GET /v2/oauth/chooselocation`: the page where consent is given, which is given at once. `locationId` chooses
/// another location than the first.
pub(super) fn choose(world: &World, sent: &Sent) -> Answered {
    let parameter = |name: &str| sent.parameters.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value);
    let back = parameter("redirect_uri");
    let known = parameter("response_type") == "code" && parameter("client_id") == world.client_id();
    if !known || !back.parse::<Uri>().is_ok_and(|back| back.host().is_some()) {
        return Err(Refusal::Invalid(vec!["response_type, client_id and redirect_uri have to be given".into()]));
    }
    let location = match parameter("locationId") {
        "" => &world.info.location_id,
        named => named,
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("code", &world.grants.consent(location));
    if !parameter("state").is_empty() {
        query.append_pair("state", parameter("state"));
    }
    let sign = if back.contains('?') { '&' } else { '?' };
    Ok(Answer::see_other(&format!("{back}{sign}{}", query.finish())))
}
