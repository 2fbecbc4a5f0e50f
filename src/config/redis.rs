//! The settings about the Redis that joins several gateways.

use std::iter;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, parse_redis_url};
use secrecy::{ExposeSecret, SecretBox};

use super::reader::Reader;

/// Most sentinels. Each is asked each second.
const MOST: usize = 16;

const FORM: &str = "redis://user:password@host:port/database, or rediss:// for TLS; \
     with Sentinel redis://host:port/database?master_name=name&addr=host:port";
const NO_NAME: &str = "once, after the ?, master_name= with what the sentinels call the Redis";
const NO_PORT: &str =
    "the sentinels as host:port, each with its port, the first before the / and each other one as addr=";
const TOO_MANY: &str = "16 sentinels at most";
const ONCE: &str = "once each at most, after the ?, username= and password=, and the first not without the second";
const UNKNOWN: &str =
    "nothing after the ? but master_name=, addr=, username= and password=, with %26 and %2B for & and + in one of them";
const OF_SENTINELS: &str = "the user and the password of the sentinels before the @, and those of the Redis after the ? as username= and password=";

/// What joins several gateways.
#[derive(Clone, Debug)]
pub struct Redis {
    /// How it is spoken to, and where it is, unless sentinels tell that.
    pub server: ConnectionInfo,
    /// Who tells where it is.
    pub sentinels: Option<Sentinels>,
    /// What is stored in it is sealed with the first; all of them open. None: it is stored as it is.
    pub keys: Arc<[SecretBox<[u8; 32]>]>,
}

/// Those who know which of several servers is the one to use.
#[derive(Clone, Debug)]
pub struct Sentinels {
    /// What they call it.
    pub name: String,
    /// Where they are.
    pub at: Vec<ConnectionInfo>,
}

pub fn read(from: &mut Reader) -> Option<Redis> {
    let url = from.token("GATEWAY_REDIS_URL", "GATEWAY_REDIS_URL_FILE");
    let file = from.optional("GATEWAY_REDIS_ENCRYPTION_KEY_FILE");
    let keys = file.map(|path| keys(from, &path)).unwrap_or_default();
    match parse(url?.expose_secret()) {
        Ok((server, sentinels)) => Some(Redis { server, sentinels, keys: keys.into() }),
        Err(expected) => {
            from.problem("GATEWAY_REDIS_URL", "(hidden)", expected);
            None
        }
    }
}

/// What an address says; else what it should have been. That tells nothing of what it is: any part of it may be one of a password.
fn parse(text: &str) -> Result<(ConnectionInfo, Option<Sentinels>), &'static str> {
    let url = parse_redis_url(text).ok_or(FORM)?;
    let first = url.clone().into_connection_info().map_err(|_| FORM)?;
    if matches!(first.addr(), ConnectionAddr::Unix(_)) {
        return Ok((first, None));
    }
    let (mut names, mut more, mut users, mut passwords) = (vec![], vec![], vec![], vec![]);
    for (key, value) in url.query_pairs() {
        match &*key {
            "protocol" => {}
            "master_name" => names.push(value),
            "addr" => more.push(value),
            "username" => users.push(value),
            "password" => passwords.push(value),
            "sentinel_username" | "sentinel_password" => return Err(OF_SENTINELS),
            _ => return Err(UNKNOWN),
        }
    }
    if [&names, &more, &users, &passwords].iter().all(|values| values.is_empty()) {
        return Ok((first, None));
    }
    let [name] = &*names else { return Err(NO_NAME) };
    if name.is_empty() {
        return Err(NO_NAME);
    }
    // Whoever comes before the @ is a user of the sentinels.
    let own = first.redis_settings().clone();
    let server = RedisConnectionInfo::default().set_db(own.db()).set_protocol(own.protocol());
    let server = match (&*users, &*passwords) {
        ([], []) => server,
        ([], [password]) => server.set_password(password),
        ([user], [password]) => server.set_username(user).set_password(password),
        _ => return Err(ONCE),
    };
    if url.port().is_none() {
        return Err(NO_PORT);
    }
    if more.len() >= MOST {
        return Err(TOO_MANY);
    }
    let others = more.iter().map(|address| address_of(url.scheme(), address));
    let at: Option<Vec<_>> = iter::once(Some(first.addr().clone())).chain(others).collect();
    let own = own.set_db(0);
    let at = at.ok_or(NO_PORT)?.into_iter();
    let at = at.map(|at| first.clone().set_addr(at).set_redis_settings(own.clone())).collect();
    Ok((first.set_redis_settings(server), Some(Sentinels { name: name.as_ref().to_owned(), at })))
}

/// The address of another sentinel, which is spoken to as the first one is.
fn address_of(scheme: &str, address: &str) -> Option<ConnectionAddr> {
    let url = parse_redis_url(&format!("{scheme}://{address}"))?;
    let has_user = url.password().is_some() || !url.username().is_empty();
    let goes_on = !url.path().is_empty() || url.query().is_some() || url.fragment().is_some();
    if has_user || goes_on || url.port().is_none() {
        return None;
    }
    Some(url.into_connection_info().ok()?.addr().clone())
}

fn keys(from: &mut Reader, path: &str) -> Vec<SecretBox<[u8; 32]>> {
    const NAME: &str = "GATEWAY_REDIS_ENCRYPTION_KEY_FILE";
    let Some(text) = from.secrets_file(NAME, path) else { return Vec::new() };
    let lines = text.expose_secret().lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let key = |line: &str| <[u8; 32]>::try_from(BASE64_STANDARD.decode(line).ok()?).ok();
    let keys: Option<Vec<_>> = lines.map(|line| key(line).map(|key| SecretBox::new(Box::new(key)))).collect();
    match keys {
        Some(keys) if !keys.is_empty() => keys,
        _ => {
            let expected =
                "a file with a key of 32 random bytes in base64 on each line, as `openssl rand -base64 32` makes one";
            from.problem(NAME, path, expected);
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &str = "redis://one.example:26379/2?master_name=main";

    fn addresses(at: &[ConnectionInfo]) -> Vec<String> {
        at.iter().map(|at| at.addr().to_string()).collect()
    }

    fn login(info: &ConnectionInfo) -> (Option<&str>, Option<&str>, i64) {
        let settings = info.redis_settings();
        (settings.username(), settings.password(), settings.db())
    }

    #[test]
    fn without_a_name_it_is_the_server_itself() {
        let (server, sentinels) = parse("rediss://me:p%40ss@cache.example/3?protocol=3").expect("an address");
        assert_eq!(
            (server.addr().to_string(), login(&server)),
            ("cache.example:6379".into(), (Some("me"), Some("p@ss"), 3))
        );
        assert!(
            sentinels.is_none() && parse("unix:///run/redis.sock?db=2").is_ok_and(|(_, sentinels)| sentinels.is_none())
        );
    }

    #[test]
    fn sentinels_have_their_user_before_the_at_and_redis_has_its_own() {
        let text = "rediss://watch:w%40tch@one.example:26379/2?master_name=main&addr=[::1]:26380&addr=three.example:26381\
                    &username=gateway&password=a%26b%2Bc";
        let (server, sentinels) = parse(text).expect("an address");
        assert_eq!(login(&server), (Some("gateway"), Some("a&b+c"), 2));
        let Sentinels { name, at } = sentinels.expect("sentinels");
        assert_eq!(
            (&*name, addresses(&at)),
            ("main", vec!["one.example:26379".into(), "::1:26380".into(), "three.example:26381".into()])
        );
        for at in &at {
            assert_eq!(login(at), (Some("watch"), Some("w@tch"), 0));
            assert!(matches!(at.addr(), ConnectionAddr::TcpTls { insecure: false, .. }));
        }
        // Without users, nobody is told a password that is another one's.
        let (server, sentinels) = parse(&format!("{ONE}&password=own")).expect("an address");
        assert_eq!(login(&server), (None, Some("own"), 2));
        assert_eq!(login(&sentinels.expect("sentinels").at[0]), (None, None, 0));
    }

    #[test]
    fn what_is_wrong_is_told_by_what_would_be_right() {
        let with = |rest: &str| parse(&format!("{ONE}{rest}")).err();
        let many = |count: usize| with(&"&addr=more.example:26379".repeat(count));
        assert_eq!((many(MOST - 1), many(MOST)), (None, Some(TOO_MANY)));
        for (rest, expected) in [
            ("&master_name=other", NO_NAME),
            ("&addr=", NO_PORT),
            ("&addr=two.example", NO_PORT),
            ("&addr=two.example:70000", NO_PORT),
            ("&addr=me:pass@two.example:26379", NO_PORT),
            ("&addr=two.example:26379/1", NO_PORT),
            ("&addr=two.example:26379,three.example:26379", NO_PORT),
            ("&addr=0.0.0.0:26379", NO_PORT),
            ("&username=me", ONCE),
            ("&password=a&password=b", ONCE),
            ("&password=a&b", UNKNOWN),
            ("&dial_timeout=3", UNKNOWN),
            ("&sentinel_password=a", OF_SENTINELS),
        ] {
            assert_eq!(with(rest), Some(expected), "{rest}");
        }
        for (text, expected) in [
            ("redis://one.example?master_name=main", NO_PORT),
            ("redis://one.example:26379?master_name=", NO_NAME),
            ("redis://one.example:26379?addr=two.example:26379", NO_NAME),
            ("redis://one.example:26379/0?db=3", UNKNOWN),
            ("redis://one.example:26379/zero?master_name=main", FORM),
            ("http://one.example:26379?master_name=main", FORM),
        ] {
            assert_eq!(parse(text).err(), Some(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_no_panic_and_passwords_arrive_as_they_are(rest in ".{0,60}", password in ".{1,30}") {
            let _ = parse(&format!("{ONE}{rest}"));
            let _ = parse(&format!("redis://{rest}"));
            let mut url = parse_redis_url(ONE).expect("an address");
            url.query_pairs_mut().append_pair("password", &password);
            let (server, _) = parse(url.as_str()).expect("an address");
            prop_assert_eq!(server.redis_settings().password(), Some(&*password));
        }
    }
}
