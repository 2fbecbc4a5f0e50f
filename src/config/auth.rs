//! The settings about callers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use reqwest::Url;

use super::reader::{Reader, has_user};
use super::{keys, pem};

/// Who may ask.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Everybody who reaches the address; whether that may be others than this machine.
    Open { anywhere: bool },
    /// Those who have a key of this file.
    Keys(PathBuf),
    /// Those who have a token of an issuer.
    Jwt(Jwt),
    /// Those who have an upstream credential of their own.
    Passthrough(Passthrough),
}

/// How tokens are checked.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// What they are signed for.
    pub keys: JwtKeys,
    /// Whose they have to be.
    pub issuer: String,
    /// For whom they have to be.
    pub audience: String,
    /// The claim that tells what the caller may do.
    pub scope_claim: String,
    /// The claim that tells where.
    pub location_claim: String,
}

/// Where the issuer's public keys are.
#[derive(Clone, Debug)]
pub enum JwtKeys {
    /// The issuer publishes them here.
    Jwks(Url),
    /// They are in this file.
    Pem(PathBuf),
}

/// What callers with credentials of their own can ask.
#[derive(Clone, Debug)]
pub struct Passthrough {
    /// Only this location; `None`: whichever they name.
    pub location: Option<String>,
    /// The zone of upstream times that name none.
    pub timezone: TimeZone,
}

/// The kinds of `Auth`, as they are named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Open,
    Keys,
    Jwt,
    Passthrough,
}

pub fn mode(from: &mut Reader) -> Option<Mode> {
    let modes = [("open", Mode::Open), ("keys", Mode::Keys), ("jwt", Mode::Jwt), ("passthrough", Mode::Passthrough)];
    from.one_of("GATEWAY_AUTH", &modes)
}

/// The settings of a mode. Those of the others are read too: all that are given have a value in force.
pub fn read(from: &mut Reader, mode: Option<Mode>, listen: Option<SocketAddr>, origins: &[String]) -> Option<Auth> {
    let anywhere = from.one_of("GATEWAY_AUTH_OPEN_ANYWHERE", &[("true", true), ("false", false)]);
    let keys = from.optional("GATEWAY_KEYS_FILE");
    let jwks = from.optional("GATEWAY_JWT_JWKS_URL");
    let pem = from.optional("GATEWAY_JWT_PEM_FILE");
    let issuer = from.optional("GATEWAY_JWT_ISSUER");
    let audience = from.optional("GATEWAY_JWT_AUDIENCE");
    let scope_claim = from.optional("GATEWAY_JWT_SCOPE_CLAIM");
    let location_claim = from.optional("GATEWAY_JWT_LOCATION_CLAIM");
    match mode? {
        Mode::Open => {
            let anywhere = anywhere?;
            check_open(from, listen, anywhere, origins);
            Some(Auth::Open { anywhere })
        }
        Mode::Keys => keys_file(from, keys).map(Auth::Keys),
        Mode::Jwt => {
            let keys = jwt_keys(from, jwks, pem);
            let mut needed = |name: &str, value: Option<String>, expected: &str| {
                if value.is_none() {
                    from.problem(name, "", expected);
                }
                value
            };
            let issuer = needed("GATEWAY_JWT_ISSUER", issuer, "the issuer that tokens name in `iss`");
            let audience = needed("GATEWAY_JWT_AUDIENCE", audience, "what tokens for this gateway name in `aud`");
            Some(Auth::Jwt(Jwt {
                keys: keys?,
                issuer: issuer?,
                audience: audience?,
                scope_claim: scope_claim?,
                location_claim: location_claim?,
            }))
        }
        Mode::Passthrough => passthrough(from).map(Auth::Passthrough),
    }
}

/// Without callers' credentials, the address has to be one that only this machine can reach.
fn check_open(from: &mut Reader, listen: Option<SocketAddr>, anywhere: bool, origins: &[String]) {
    if !anywhere && origins.iter().any(|origin| origin == "*") {
        from.problem(
            "GATEWAY_CORS_ORIGINS",
            "*",
            "origins by name, since GATEWAY_AUTH is open: any page that somebody looks at could read every contact",
        );
    }
    if let Some(listen) = listen.filter(|address| !address.ip().is_loopback() && !anywhere) {
        from.problem(
            "GATEWAY_AUTH",
            "open",
            &format!(
                "keys, jwt or passthrough, or a loopback address in GATEWAY_LISTEN (it is {listen}): everybody who \
                 reaches it could read every contact. GATEWAY_AUTH_OPEN_ANYWHERE=true allows it all the same, for a \
                 gateway that others guard"
            ),
        );
    }
}

fn keys_file(from: &mut Reader, path: Option<String>) -> Option<PathBuf> {
    let name = "GATEWAY_KEYS_FILE";
    let Some(path) = path else {
        from.problem(name, "", "a file with the rows that `contacts-gateway key new` prints");
        return None;
    };
    for problem in from.file(name, &path).and_then(|text| keys::parse(&text).err()).unwrap_or_default() {
        from.problem(name, &path, &format!("a keys file that can be used: {problem}"));
    }
    Some(path.into())
}

fn jwt_keys(from: &mut Reader, jwks: Option<String>, pem: Option<String>) -> Option<JwtKeys> {
    let (url, file) = ("GATEWAY_JWT_JWKS_URL", "GATEWAY_JWT_PEM_FILE");
    match (jwks, pem) {
        (None, None) => {
            from.problem(url, "", &format!("where the issuer publishes its keys, or {file}"));
            None
        }
        (Some(_), Some(path)) => {
            from.problem(file, &path, &format!("nothing, since {url} is set: one of the two"));
            None
        }
        (Some(text), None) => {
            let parsed = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            let plain = parsed.clone().filter(|url| !has_user(url));
            if plain.is_none() {
                let shown = if parsed.is_some() { "(hidden)" } else { &text };
                from.problem(url, shown, "an http or https URL without a user");
            }
            plain.map(JwtKeys::Jwks)
        }
        (None, Some(path)) => {
            if let Some(why) = from.file(file, &path).and_then(|text| pem::parse(&text).err()) {
                from.problem(file, &path, &format!("a file of public keys that can be used: {why}"));
            }
            Some(JwtKeys::Pem(Path::new(&path).into()))
        }
    }
}

/// In place of the locations with their credentials. A credential that lies there unused would be one to lose.
fn passthrough(from: &mut Reader) -> Option<Passthrough> {
    let location = from.optional("GATEWAY_LOCATION_ID");
    let timezone = from.timezone("GATEWAY_TIMEZONE");
    let none = "nothing, since GATEWAY_AUTH=passthrough sends each caller's own credential";
    for name in [
        "GATEWAY_API_KEY",
        "GATEWAY_API_KEY_FILE",
        "GATEWAY_OAUTH_CLIENT_ID",
        "GATEWAY_OAUTH_CLIENT_SECRET",
        "GATEWAY_OAUTH_CLIENT_SECRET_FILE",
        "GATEWAY_OAUTH_REFRESH_TOKEN",
        "GATEWAY_OAUTH_REFRESH_TOKEN_FILE",
    ] {
        if from.optional(name).is_some() {
            from.problem(name, "(hidden)", none);
        }
    }
    if from.locations().is_some() {
        from.problem("[[location]]", "given", none);
    }
    Some(Passthrough { location, timezone: timezone? })
}
