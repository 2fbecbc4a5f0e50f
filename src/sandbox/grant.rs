//! The books of OAuth: codes and refresh tokens that can be used once, and the grants that they belong to.

use super::{data::random::Random, door::Credential, lock, world::World};
use serde::Serialize;
use std::{collections::HashMap, sync::Mutex, time::Duration};

/// How long an access token opens its location.
pub(super) const LIFE: Duration = Duration::from_secs(86_399);

const APP: &str = "app-5f2b7c90";
const SECRET: &str = "sandbox-client-secret";

/// How events name the app: by the first part of its id.
pub(super) fn app_id() -> &'static str {
    APP.split('-').next().unwrap_or(APP)
}

/// What an OAuth client needs to connect. The token and the code can be used once each.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OAuthInfo {
    /// The app's id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The first refresh token of a grant for the first location.
    pub refresh_token: String,
    /// A code that opens another grant for it.
    pub code: String,
}

/// For whom a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UserType {
    Location,
    Company,
}

/// Where a consent was given.
struct Grant {
    location: String,
    dead: bool,
}

struct Refresh {
    grant: usize,
    used: bool,
}

/// A new pair of tokens.
pub(super) struct Pair {
    pub access: String,
    pub refresh: String,
    pub location: String,
}

/// Why a token or a code opens nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Void {
    Invalid,
    /// The location is suspended; the token stays unused.
    Inactive,
}

/// All grants of a sandbox.
pub(super) struct Grants {
    seed: u64,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    serial: u64,
    grants: Vec<Grant>,
    refresh: HashMap<String, Refresh>,
    /// To the location that consented.
    codes: HashMap<String, String>,
    suspended: Vec<String>,
}

impl Grants {
    pub fn new(seed: u64) -> Self {
        Self { seed, books: Mutex::default() }
    }

    /// A grant for the location, with a code for another one.
    pub fn info(&self, location: &str) -> OAuthInfo {
        let mut books = lock::lock(&self.books);
        let grant = books.open(location);
        OAuthInfo {
            client_id: APP.into(),
            client_secret: SECRET.into(),
            refresh_token: books.refresh_token(self.seed, grant),
            code: books.code(self.seed, location),
        }
    }

    pub fn knows(&self, client_id: &str, client_secret: &str) -> bool {
        (client_id, client_secret) == (APP, SECRET)
    }

    /// A code, as consent gives it.
    pub fn consent(&self, location: &str) -> String {
        lock::lock(&self.books).code(self.seed, location)
    }

    /// A code for an app that lost its tokens at a location, or at the company; none where it was never installed, or was
    /// taken away.
    pub fn reconnect(&self, location: Option<&str>) -> Option<String> {
        let mut books = lock::lock(&self.books);
        let fits = |grant: &&Grant| location.map_or(!grant.location.is_empty(), |location| grant.location == location);
        let installed = books.grants.iter().find(fits)?.location.clone();
        Some(books.code(self.seed, &installed))
    }

    pub fn redeem_code(&self, world: &World, code: &str, kind: UserType) -> Result<Pair, Void> {
        let mut books = lock::lock(&self.books);
        let location = books.codes.remove(code).ok_or(Void::Invalid)?;
        let grant = books.open(&location);
        Ok(books.pair(self.seed, world, grant, kind))
    }

    /// A used token takes the whole grant with it: somebody else may have its successor.
    pub fn redeem_refresh(&self, world: &World, token: &str, kind: UserType) -> Result<Pair, Void> {
        let mut books = lock::lock(&self.books);
        let Refresh { grant, used } = *books.refresh.get(token).ok_or(Void::Invalid)?;
        if used {
            books.kill(world, |number, _| number == grant);
            return Err(Void::Invalid);
        }
        let Grant { location, dead } = &books.grants[grant];
        if *dead {
            return Err(Void::Invalid);
        }
        if books.suspended.contains(location) {
            return Err(Void::Inactive);
        }
        if let Some(refresh) = books.refresh.get_mut(token) {
            refresh.used = true;
        }
        Ok(books.pair(self.seed, world, grant, kind))
    }

    /// A location's token, for whoever has the company's.
    pub fn location_token(&self, world: &World, location: &str) -> String {
        lock::lock(&self.books).access_token(self.seed, world, None, location, UserType::Location)
    }

    /// A new grant for the location; its first refresh token.
    pub fn grant(&self, location: &str) -> String {
        let mut books = lock::lock(&self.books);
        let grant = books.open(location);
        books.refresh_token(self.seed, grant)
    }

    /// The app is taken away from the location: what it was granted is dead.
    pub fn uninstall(&self, world: &World, location: &str) {
        let mut books = lock::lock(&self.books);
        books.kill(world, |_, grant| grant.location == location);
        for grant in &mut books.grants {
            if grant.location == location {
                grant.location.clear();
            }
        }
    }

    pub fn suspend(&self, location: &str, suspended: bool) {
        let mut books = lock::lock(&self.books);
        books.suspended.retain(|other| other != location);
        if suspended {
            books.suspended.push(location.to_owned());
        }
    }
}

impl Books {
    fn open(&mut self, location: &str) -> usize {
        self.grants.push(Grant { location: location.into(), dead: false });
        self.grants.len() - 1
    }

    fn fresh(&mut self, seed: u64, prefix: &str) -> String {
        self.serial += 1;
        format!("{prefix}{}", Random::new(&[seed, 0x0a07, self.serial]).hex(40))
    }

    fn refresh_token(&mut self, seed: u64, grant: usize) -> String {
        let token = self.fresh(seed, "rt-");
        self.refresh.insert(token.clone(), Refresh { grant, used: false });
        token
    }

    fn code(&mut self, seed: u64, location: &str) -> String {
        let code = self.fresh(seed, "code-");
        self.codes.insert(code.clone(), location.into());
        code
    }

    fn pair(&mut self, seed: u64, world: &World, grant: usize, kind: UserType) -> Pair {
        let location = self.grants[grant].location.clone();
        let access = self.access_token(seed, world, Some(grant), &location, kind);
        Pair { access, refresh: self.refresh_token(seed, grant), location }
    }

    fn access_token(
        &mut self,
        seed: u64,
        world: &World,
        grant: Option<usize>,
        location: &str,
        kind: UserType,
    ) -> String {
        let token = self.fresh(seed, "at-");
        let (location, scopes) = match kind {
            UserType::Location => (location.to_owned(), world.options.scopes.clone()),
            UserType::Company => (String::new(), vec!["oauth.write".into(), "oauth.readonly".into()]),
        };
        let credential = Credential { location, scopes, grant, expires: Some(world.uptime() + LIFE) };
        lock::write(&world.credentials).insert(token.clone(), credential);
        token
    }

    fn kill(&mut self, world: &World, which: impl Fn(usize, &Grant) -> bool) {
        let mut credentials = lock::write(&world.credentials);
        for (number, grant) in self.grants.iter_mut().enumerate() {
            if which(number, grant) {
                grant.dead = true;
                credentials.retain(|_, credential| credential.grant != Some(number));
            }
        }
    }
}
