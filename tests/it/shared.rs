//! What several gateways share through a Redis beside what they hold: the limit, tokens, and which events were taken.

mod events;
mod grants;
mod installs;
mod quota;

use contacts_gateway::sandbox::Options;
use futures_util::future::join_all;

use super::replicas::server::{Redis, Watched, Wire};
use super::support::*;

/// Three gateways over one sandbox, each with a URL of Redis and these settings.
async fn three(options: Options, urls: [&str; 3], more: &[(&str, &str)]) -> [Stage; 3] {
    let settings = |url| [&[("REDIS_URL", url)], more].concat();
    let first = Stage::with(options, &settings(urls[0])).await;
    let (location, token) = (first.sandbox.info().location_id.clone(), first.sandbox.info().token.clone());
    let needed = [("LOCATION_ID", &*location), ("API_KEY", &*token)];
    let second = first.beside(&[&needed[..], &settings(urls[1])].concat()).await;
    let third = first.beside(&[&needed[..], &settings(urls[2])].concat()).await;
    [first, second, third]
}
