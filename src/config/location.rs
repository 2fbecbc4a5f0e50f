//! The locations, each with what opens it: a token, a file that holds one, or a grant to an app.

use std::collections::HashSet;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};

use super::reader::Reader;
use super::row::Row;

/// A location and what opens it.
#[derive(Clone, Debug)]
pub struct Location {
    /// The location's id upstream.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
    /// What opens it.
    pub credential: Credential,
    /// The zone of upstream times that name none.
    pub timezone: TimeZone,
}

/// What opens a location.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A private integration token.
    Token(SecretString),
    /// A file that holds one, and may get another.
    TokenFile(PathBuf),
    /// A grant to an app.
    OAuth(Box<OAuth>),
}

impl Credential {
    /// Whether both are the same key, which then opens several locations. A grant has a token for each.
    pub fn is_same_key(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Token(one), Self::Token(other)) => one.expose_secret() == other.expose_secret(),
            (Self::TokenFile(one), Self::TokenFile(other)) => one == other,
            _ => false,
        }
    }
}

/// A grant to an app.
#[derive(Clone, Debug)]
pub struct OAuth {
    /// The app's id.
    pub client_id: String,
    /// The app's secret.
    pub client_secret: SecretString,
    /// The first refresh token.
    pub refresh_token: Option<SecretString>,
    /// Whose the grant is.
    pub user_type: UserType,
    /// Where a person comes back to from granting access.
    pub redirect_url: Option<reqwest::Url>,
    /// Where a person grants access.
    pub authorize_url: reqwest::Url,
    /// What is asked for there.
    pub scopes: String,
}

/// Whose a grant is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UserType {
    /// One location's.
    #[default]
    Location,
    /// A company's, for its locations.
    Company,
}

const USER_TYPES: [(&str, UserType); 2] = [("Location", UserType::Location), ("Company", UserType::Company)];

/// What the settings say of apps, whichever location it is for.
struct Apps {
    client_id: Option<String>,
    client_secret: Option<SecretString>,
    user_type: Option<UserType>,
    redirect_url: Option<reqwest::Url>,
    authorize_url: Option<reqwest::Url>,
    scopes: Option<String>,
}

impl Apps {
    fn read(from: &mut Reader) -> Self {
        let client_id = from.optional("GATEWAY_OAUTH_CLIENT_ID");
        let client_secret = from.token("GATEWAY_OAUTH_CLIENT_SECRET", "GATEWAY_OAUTH_CLIENT_SECRET_FILE");
        let user_type = from.one_of("GATEWAY_OAUTH_USER_TYPE", &USER_TYPES);
        let redirect_url = from.url("GATEWAY_OAUTH_REDIRECT_URL");
        if let Some(url) = redirect_url.as_ref().filter(|url| !url.path().ends_with("/oauth/callback")) {
            from.problem(
                "GATEWAY_OAUTH_REDIRECT_URL",
                url.as_str(),
                "an address of this gateway that ends in /oauth/callback",
            );
        }
        let authorize_url = from.url("GATEWAY_OAUTH_AUTHORIZE_URL");
        let scopes = from.optional("GATEWAY_OAUTH_SCOPES");
        Self { client_id, client_secret, user_type, redirect_url, authorize_url, scopes }
    }

    /// The grant of a location, with what its own row has.
    fn grant(&self, from: &mut Reader, row: Option<&Row>, refresh_token: Option<SecretString>) -> Option<OAuth> {
        if let Some(row) = row {
            row.knows(from, &OF_OAUTH);
        }
        // Where the setting for all was told to be wrong, the row may lack nothing.
        let missing = |from: &mut Reader, own: &str, general: &str, expected: &str| {
            if !from.has_problem(general) {
                from.problem(&row.map_or_else(|| general.to_owned(), |row| row.place(own)), "", expected);
            }
        };
        let own_id = row.and_then(|row| row.text(from, "client_id"));
        let client_id = own_id.filter(|id| !id.trim().is_empty()).or_else(|| self.client_id.clone());
        if client_id.is_none() {
            missing(from, "client_id", "GATEWAY_OAUTH_CLIENT_ID", "the app's id");
        }
        let client_secret = secret_of(from, row, "client_secret", self.client_secret.clone());
        if client_secret.is_none() {
            let expected = "the app's secret, or a file that holds it";
            missing(from, "client_secret", "GATEWAY_OAUTH_CLIENT_SECRET", expected);
        }
        let refresh_token = secret_of(from, row, "refresh_token", refresh_token);
        let is_installed = self.redirect_url.is_some() || from.has_problem("GATEWAY_OAUTH_REDIRECT_URL");
        if refresh_token.is_none() && !is_installed {
            let expected = "the first refresh token, or GATEWAY_OAUTH_REDIRECT_URL, so that /oauth/install can get one";
            missing(from, "refresh_token", "GATEWAY_OAUTH_REFRESH_TOKEN", expected);
        }
        let user_type = match row.filter(|row| row.has("user_type")) {
            None => self.user_type,
            Some(row) => row.text(from, "user_type").and_then(|named| {
                let known = USER_TYPES.iter().find(|(name, _)| *name == named).map(|(_, user_type)| *user_type);
                if known.is_none() {
                    from.problem(&row.place("user_type"), "(hidden)", "Location or Company");
                }
                known
            }),
        };
        Some(OAuth {
            client_id: client_id?,
            client_secret: client_secret?,
            refresh_token,
            user_type: user_type?,
            redirect_url: self.redirect_url.clone(),
            authorize_url: self.authorize_url.clone()?,
            scopes: self.scopes.clone().unwrap_or_default(),
        })
    }
}

/// The locations of the file, or the one of the environment.
pub fn read(from: &mut Reader) -> Option<Vec<Location>> {
    let rows = Row::locations(from);
    let zone = from.timezone("GATEWAY_TIMEZONE");
    let id = from.optional("GATEWAY_LOCATION_ID");
    let file = from.optional("GATEWAY_API_KEY_FILE");
    let token = from.token("GATEWAY_API_KEY", "GATEWAY_API_KEY_FILE");
    let apps = Apps::read(from);
    let refresh_token = from.token("GATEWAY_OAUTH_REFRESH_TOKEN", "GATEWAY_OAUTH_REFRESH_TOKEN_FILE");
    let Some(rows) = rows else {
        if id.is_none() {
            let expected = "the id of the location to read, or [[location]] in a settings file";
            from.problem("GATEWAY_LOCATION_ID", "", expected);
        }
        let credential = if apps.client_id.is_some() || refresh_token.is_some() {
            if token.is_some() {
                let expected = "nothing, since GATEWAY_OAUTH_... names an app: one of the two";
                from.problem("GATEWAY_API_KEY", "(hidden)", expected);
            }
            apps.grant(from, None, refresh_token).map(|oauth| Credential::OAuth(Box::new(oauth)))
        } else {
            if token.is_none() {
                let expected = "the location's private integration token, or GATEWAY_API_KEY_FILE, or an app by \
                                GATEWAY_OAUTH_CLIENT_ID";
                from.problem("GATEWAY_API_KEY", "", expected);
            }
            token.map(|token| file.map_or(Credential::Token(token), |file| Credential::TokenFile(file.into())))
        };
        return Some(vec![Location { id: id?, name: None, credential: credential?, timezone: zone? }]);
    };
    for name in ONE_LOCATION {
        if from.optional(name).is_some() {
            let expected =
                "nothing, since the settings file has [[location]]: locations and their tokens are named there";
            from.problem(name, "set", expected);
        }
    }
    let mut ids = HashSet::new();
    Some(rows.iter().filter_map(|row| location(from, &apps, row, zone.as_ref(), &mut ids)).collect())
}

/// The settings that name the one location, and what opens it.
const ONE_LOCATION: [&str; 5] = [
    "GATEWAY_LOCATION_ID",
    "GATEWAY_API_KEY",
    "GATEWAY_API_KEY_FILE",
    "GATEWAY_OAUTH_REFRESH_TOKEN",
    "GATEWAY_OAUTH_REFRESH_TOKEN_FILE",
];

/// The keys of a `[[location]]`, of which the credentials open it, and those of its `oauth`.
const KEYS: [&str; 6] = ["id", "name", "timezone", "api_key", "api_key_file", "oauth"];
const CREDENTIALS: [&str; 3] = ["api_key", "api_key_file", "oauth"];
const OF_OAUTH: [&str; 6] =
    ["client_id", "client_secret", "client_secret_file", "refresh_token", "refresh_token_file", "user_type"];

/// A location of the file. Each of its keys is looked at, so that everything that is wrong is told. `ids`: those of the rows before it.
fn location(
    from: &mut Reader,
    apps: &Apps,
    row: &Row,
    zone: Option<&TimeZone>,
    ids: &mut HashSet<String>,
) -> Option<Location> {
    row.knows(from, &KEYS);
    let given: Vec<&str> = CREDENTIALS.into_iter().filter(|key| row.has(key)).collect();
    let credential = match *given {
        ["oauth"] => {
            let own = row.inner(from, "oauth");
            own.and_then(|own| apps.grant(from, Some(&own), None)).map(|oauth| Credential::OAuth(Box::new(oauth)))
        }
        ["api_key"] => {
            let token = row.text(from, "api_key");
            token.and_then(|token| from.secret(&row.place("api_key"), &token)).map(Credential::Token)
        }
        ["api_key_file"] => row.text(from, "api_key_file").and_then(|file| {
            let read = from.secret_file(&row.place("api_key_file"), &file);
            read.map(|_| Credential::TokenFile(file.into()))
        }),
        [] => {
            let expected = "the location's private integration token, or in its place api_key_file or oauth";
            from.problem(&row.place("api_key"), "", expected);
            None
        }
        [one, ..] => {
            from.problem(&row.place(one), &format!("beside {}", given[1..].join(" and ")), "one of them alone");
            None
        }
    };
    let timezone = match row.has("timezone") {
        true => row.text(from, "timezone").and_then(|name| from.zone(&row.place("timezone"), &name)),
        false => zone.cloned(),
    };
    let name = row.text(from, "name");
    let id = row.text(from, "id").filter(|id| !id.trim().is_empty());
    match &id {
        None => from.problem(&row.place("id"), "", "the location's id, a text in quotes"),
        Some(id) if !ids.insert(id.clone()) => {
            from.problem(&row.place("id"), "there twice", "an id that no other [[location]] has");
        }
        Some(_) => {}
    }
    Some(Location { id: id?, name, credential: credential?, timezone: timezone? })
}

/// A secret of a row, given itself or by a file that holds it; where it has neither, what holds for all.
fn secret_of(from: &mut Reader, row: Option<&Row>, name: &str, general: Option<SecretString>) -> Option<SecretString> {
    let file = format!("{name}_file");
    let Some(row) = row.filter(|row| row.has(name) || row.has(&file)) else { return general };
    match (row.has(name), row.has(&file)) {
        (true, true) => {
            from.problem(&row.place(name), &format!("beside {file}"), "one of the two");
            None
        }
        (true, false) => row.text(from, name).and_then(|secret| from.secret(&row.place(name), &secret)),
        _ => row.text(from, &file).and_then(|path| from.secret_file(&row.place(&file), &path)),
    }
}
