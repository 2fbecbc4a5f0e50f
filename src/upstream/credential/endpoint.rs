//! The upstream's own OAuth routes: tokens for a refresh token or a code, and a location's for the company's.

use std::time::SystemTime;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{RequestBuilder, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Bearer;
use super::tokens::{Tokens, UserType};
use super::trouble::Trouble;
use crate::upstream::error::{Fault, names_a_credential, names_a_scope};

/// Most bytes of an answer.
const MAX_BODY: usize = 256 << 10;

const FORM: &str = "application/x-www-form-urlencoded";

/// An app that locations grant access to.
#[derive(Clone)]
pub struct App {
    /// Its id.
    pub id: String,
    /// What it proves itself with.
    pub secret: SecretString,
}

/// The OAuth routes of one upstream.
#[derive(Clone)]
pub struct Endpoint {
    http: reqwest::Client,
    base: Url,
}

impl Endpoint {
    /// `http`: with the time limit of one call.
    pub fn new(http: reqwest::Client, base: Url) -> Self {
        Self { http, base }
    }

    /// The next pair. The refresh token is used up by this, whether or not the answer arrives.
    pub async fn refresh(
        &self,
        app: &App,
        token: &SecretString,
        user_type: UserType,
        now: SystemTime,
    ) -> Result<Tokens, Trouble> {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token.expose_secret()),
            ("client_id", &app.id),
            ("client_secret", app.secret.expose_secret()),
            ("user_type", user_type.as_str()),
        ];
        let answer = self.ask(self.form("/oauth/token", &form)).await?;
        Tokens::answered(read(&answer)?, Some(token), now)
    }

    /// The first pair of a grant, for the code that consent gave.
    pub async fn redeem(
        &self,
        app: &App,
        code: &SecretString,
        redirect: &str,
        user_type: UserType,
        now: SystemTime,
    ) -> Result<Tokens, Trouble> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose_secret()),
            ("client_id", &app.id),
            ("client_secret", app.secret.expose_secret()),
            ("user_type", user_type.as_str()),
        ];
        if !redirect.is_empty() {
            form.push(("redirect_uri", redirect));
        }
        let answer = self.ask(self.form("/oauth/token", &form)).await?;
        Tokens::answered(read(&answer)?, None, now)
    }

    /// A location's token, for the company's. `Lost`: the company's is not accepted.
    pub async fn exchange(
        &self,
        company: &Bearer,
        company_id: &str,
        location: &str,
        now: SystemTime,
    ) -> Result<Tokens, Trouble> {
        let request = self.form("/oauth/locationToken", &[("companyId", company_id), ("locationId", location)]);
        let request = request.header(AUTHORIZATION, company.header()).header("version", "2021-07-28");
        let (status, answer) = self.send(request).await?;
        if status.is_success() {
            return Tokens::answered(read(&answer)?, None, now);
        }
        let words = words(&answer);
        Err(match classify(status.as_u16(), &words) {
            // A refused bearer is told in the words of all other routes.
            Trouble::Refused(401) if words.lines().any(names_a_scope) => Trouble::NotExchanged,
            Trouble::Refused(401) if words.lines().any(names_a_credential) => Trouble::Lost,
            Trouble::Refused(400 | 403 | 404 | 422) => Trouble::NotReached,
            trouble => trouble,
        })
    }

    /// A new code for an app that lost its tokens but not its place; `None` where there is none to be had. `whose`: the name
    /// and the id of the location or the company.
    pub async fn reconnect(&self, app: &App, (whose, id): (&str, &str)) -> Option<SecretString> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Reconnected {
            authorization_code: String,
        }
        let body = json!({ "clientKey": app.id, "clientSecret": app.secret.expose_secret(), whose: id });
        let request = self.http.post(self.url("/oauth/reconnect"));
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        let answer = self.ask(request).await.ok()?;
        let answer: Reconnected = serde_json::from_slice(&answer).ok()?;
        Some(answer.authorization_code.into())
    }

    fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.http.post(self.url(path)).header(CONTENT_TYPE, FORM).body(body)
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Vec<u8>, Trouble> {
        let (status, body) = self.send(request).await?;
        if status.is_success() { Ok(body) } else { Err(classify(status.as_u16(), &words(&body))) }
    }

    async fn send(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), Trouble> {
        let broken = |error: reqwest::Error| {
            Trouble::Upstream(if error.is_timeout() { Fault::Timeout } else { Fault::Unavailable })
        };
        let mut answer = request.send().await.map_err(broken)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > MAX_BODY {
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body))
    }
}

/// The body of a 2xx. What is wrong with one is not told: it holds tokens.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Trouble> {
    let why = "the token endpoint's answer is not of its shape";
    serde_json::from_slice(body).map_err(|_| Trouble::Upstream(Fault::BadResponse(why.into())))
}

/// The words of a refusal, a text in each line. They are looked at and never repeated: they may quote what was sent.
fn words(body: &[u8]) -> String {
    let mut words = String::new();
    collect(&serde_json::from_slice(body).unwrap_or_default(), &mut words);
    words
}

/// What a refusal means.
fn classify(status: u16, words: &str) -> Trouble {
    let says = |part: &str| words.contains(part);
    match status {
        408 => Trouble::Upstream(Fault::Timeout),
        429 | 500.. => Trouble::Upstream(Fault::Unavailable),
        401 if says("timed out") => Trouble::Upstream(Fault::Timeout),
        _ if says("not active") => Trouble::Inactive,
        _ if says("invalid_client") || says("unauthorized_client") || says("invalid client") => Trouble::App,
        400 | 401 | 403 | 422 if says("invalid_grant") || says("refresh token") => Trouble::Lost,
        400 | 422 if says("authorization code") || says("invalid grant") => Trouble::Lost,
        _ => Trouble::Refused(status),
    }
}

/// All texts of a body, whichever shape this version of the API gives it.
fn collect(value: &Value, words: &mut String) {
    match value {
        Value::String(text) => {
            words.push_str(&text.to_ascii_lowercase());
            words.push('\n');
        }
        Value::Array(all) => all.iter().for_each(|value| collect(value, words)),
        Value::Object(all) => all.values().for_each(|value| collect(value, words)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_told_from_the_others() {
        let rows = [
            (400, r#"{"error":"invalid_grant","error_description":"This refresh token is invalid"}"#, Trouble::Lost),
            (401, r#"{"error":{"code":"INVALID_GRANT","message":"x"}}"#, Trouble::Lost),
            (422, r#"{"statusCode":422,"message":["Invalid refresh token"],"error":"Unprocessable"}"#, Trouble::Lost),
            (400, r#"{"statusCode":400,"message":"Location is not active","error":"Bad Request"}"#, Trouble::Inactive),
            (401, r#"{"error":"invalid_client","error_description":"no"}"#, Trouble::App),
            (400, r#"{"message":"client_id should not be empty"}"#, Trouble::Refused(400)),
            (404, "", Trouble::Refused(404)),
            (403, "<html>forbidden</html>", Trouble::Refused(403)),
            (429, r#"{"message":"Too Many Requests"}"#, Trouble::Upstream(Fault::Unavailable)),
            (502, "<html>invalid_grant</html>", Trouble::Upstream(Fault::Unavailable)),
            (401, r#"{"message":"Command timed out"}"#, Trouble::Upstream(Fault::Timeout)),
        ];
        for (status, body, want) in rows {
            assert_eq!(classify(status, &words(body.as_bytes())), want, "{status} {body}");
        }
    }
}
