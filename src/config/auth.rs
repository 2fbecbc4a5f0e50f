//! The settings about callers.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::keys;
use super::reader::Reader;

/// Who may ask.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Everybody who reaches the address.
    Open,
    /// Those who have a key of this file.
    Keys(PathBuf),
}

#[derive(Clone, Copy)]
enum Mode {
    Open,
    Keys,
}

pub fn read(from: &mut Reader, listen: Option<SocketAddr>) -> Option<Auth> {
    let mode = from.one_of("GATEWAY_AUTH", &[("open", Mode::Open), ("keys", Mode::Keys)]);
    let anywhere = from.one_of("GATEWAY_AUTH_OPEN_ANYWHERE", &[("true", true), ("false", false)]);
    let keys = from.optional("GATEWAY_KEYS_FILE");
    match mode? {
        Mode::Open => {
            check_open(from, listen, anywhere?);
            Some(Auth::Open)
        }
        Mode::Keys => keys_file(from, keys).map(Auth::Keys),
    }
}

/// Without callers' credentials, the address has to be one that only this machine can reach.
fn check_open(from: &mut Reader, listen: Option<SocketAddr>, anywhere: bool) {
    if let Some(listen) = listen.filter(|address| !address.ip().is_loopback() && !anywhere) {
        from.problem(
            "GATEWAY_AUTH",
            "open",
            &format!(
                "keys, or a loopback address in GATEWAY_LISTEN (it is {listen}): everybody who reaches it could read \
                 every contact. GATEWAY_AUTH_OPEN_ANYWHERE=true allows it all the same, for a gateway that others guard"
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
    match std::fs::read_to_string(&path) {
        Err(why) => from.problem(name, &path, &format!("a file that can be read ({why})")),
        Ok(text) => {
            for problem in keys::parse(&text).err().unwrap_or_default() {
                from.problem(name, &path, &format!("a keys file that can be used: {problem}"));
            }
        }
    }
    Some(path.into())
}
