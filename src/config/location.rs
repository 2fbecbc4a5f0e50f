//! The locations, each with what opens it: a token, a file that holds one, or a grant to an app.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};

use super::reader::{LocationRow, OAuthRow, Reader};

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

    /// The grant of a location, with what its own row has. `place` is where the row is.
    fn grant(
        &self,
        from: &mut Reader,
        place: &str,
        row: OAuthRow,
        refresh_token: Option<SecretString>,
    ) -> Option<OAuth> {
        let name = |own: &str, general: &'static str| match place.is_empty() {
            true => general.to_owned(),
            false => format!("{place} {own}"),
        };
        let client_id = row.client_id.filter(|id| !id.trim().is_empty()).or_else(|| self.client_id.clone());
        if client_id.is_none() {
            from.problem(&name("client_id", "GATEWAY_OAUTH_CLIENT_ID"), "", "the app's id");
        }
        let place_of_secret = name("client_secret", "GATEWAY_OAUTH_CLIENT_SECRET");
        let (secret, file) = (row.client_secret, row.client_secret_file);
        let client_secret = match secret.is_some() || file.is_some() {
            true => one_secret(from, &place_of_secret, secret, file),
            false => self.client_secret.clone(),
        };
        if client_secret.is_none() && !from.has_problem(&place_of_secret) {
            from.problem(&place_of_secret, "", "the app's secret, or a file that holds it");
        }
        let place_of_token = name("refresh_token", "GATEWAY_OAUTH_REFRESH_TOKEN");
        let (token, file) = (row.refresh_token, row.refresh_token_file);
        let refresh_token = match token.is_some() || file.is_some() {
            true => one_secret(from, &place_of_token, token, file),
            false => refresh_token,
        };
        if refresh_token.is_none() && self.redirect_url.is_none() && !from.has_problem(&place_of_token) {
            let expected = "the first refresh token, or GATEWAY_OAUTH_REDIRECT_URL, so that /oauth/install can get one";
            from.problem(&place_of_token, "", expected);
        }
        let user_type = match row.user_type {
            None => self.user_type,
            Some(named) => {
                let known = USER_TYPES.iter().find(|(name, _)| *name == named).map(|(_, user_type)| *user_type);
                if known.is_none() {
                    from.problem(&format!("{place} user_type"), &named, "Location or Company");
                }
                known
            }
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
    let rows = from.location_rows();
    let zone = from.timezone("GATEWAY_TIMEZONE");
    let id = from.optional("GATEWAY_LOCATION_ID");
    let file = from.optional("GATEWAY_API_KEY_FILE");
    let token = from.token("GATEWAY_API_KEY", "GATEWAY_API_KEY_FILE");
    let apps = Apps::read(from);
    let refresh_token = from.token("GATEWAY_OAUTH_REFRESH_TOKEN", "GATEWAY_OAUTH_REFRESH_TOKEN_FILE");
    if rows.is_empty() {
        if id.is_none() {
            from.problem(
                "GATEWAY_LOCATION_ID",
                "",
                "the id of the location to read, or [[location]] in a settings file",
            );
        }
        let credential = if apps.client_id.is_some() || refresh_token.is_some() {
            if token.is_some() {
                from.problem(
                    "GATEWAY_API_KEY",
                    "(hidden)",
                    "nothing, since GATEWAY_OAUTH_... names an app: one of the two",
                );
            }
            apps.grant(from, "", OAuthRow::default(), refresh_token).map(|oauth| Credential::OAuth(Box::new(oauth)))
        } else {
            if token.is_none() && !from.has_problem("GATEWAY_API_KEY") && !from.has_problem("GATEWAY_API_KEY_FILE") {
                let expected = "the location's private integration token, or GATEWAY_API_KEY_FILE, or an app by \
                                GATEWAY_OAUTH_CLIENT_ID";
                from.problem("GATEWAY_API_KEY", "", expected);
            }
            token.map(|token| file.map_or(Credential::Token(token), |file| Credential::TokenFile(file.into())))
        };
        return Some(vec![Location { id: id?, name: None, credential: credential?, timezone: zone? }]);
    }
    if id.is_some() || token.is_some() || refresh_token.is_some() {
        from.problem(
            "GATEWAY_LOCATION_ID",
            "",
            "nothing, since the settings file has [[location]]: name locations and their tokens in one place",
        );
    }
    let mut locations: Vec<Location> = Vec::new();
    for (number, row) in rows.into_iter().enumerate() {
        let location = location(from, &apps, number, row, zone.as_ref());
        let Some(location) = location else { continue };
        if locations.iter().any(|other| other.id == location.id) {
            from.problem("[[location]] id", &location.id, "an id that no other [[location]] has");
        }
        locations.push(location);
    }
    Some(locations)
}

fn location(
    from: &mut Reader,
    apps: &Apps,
    number: usize,
    row: LocationRow,
    zone: Option<&TimeZone>,
) -> Option<Location> {
    let place = format!("[[location]] {}", number + 1);
    let credential = match (row.api_key, row.api_key_file, row.oauth) {
        (Some(token), None, None) => from.secret(&format!("{place} api_key"), &token).map(Credential::Token),
        (None, Some(file), None) => {
            let read = from.secret_file(&format!("{place} api_key_file"), &file);
            read.map(|_| Credential::TokenFile(file.into()))
        }
        (None, None, Some(oauth)) => {
            apps.grant(from, &format!("{place} oauth"), oauth, None).map(|oauth| Credential::OAuth(Box::new(oauth)))
        }
        _ => {
            from.problem(&place, "", "one of api_key, api_key_file and oauth");
            None
        }
    };
    let timezone = match row.timezone {
        Some(name) => from.zone(&format!("{place} timezone"), &name),
        None => zone.cloned(),
    };
    if row.id.trim().is_empty() {
        from.problem(&format!("{place} id"), &row.id, "the location's id");
        return None;
    }
    Some(Location { id: row.id, name: row.name, credential: credential?, timezone: timezone? })
}

/// A secret of a row, given itself or by a file that holds it.
fn one_secret(from: &mut Reader, place: &str, secret: Option<String>, file: Option<String>) -> Option<SecretString> {
    match (secret, file) {
        (Some(secret), None) => from.secret(place, &secret),
        (None, Some(file)) => from.secret_file(place, &file),
        _ => {
            from.problem(place, "(hidden)", "one of the secret itself and a file that holds it");
            None
        }
    }
}
