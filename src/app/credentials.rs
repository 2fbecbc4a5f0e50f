//! What opens each location, built from the settings.

use anyhow::Context;

use crate::clock::Clock;
use crate::config::{self, Config};
use crate::replicas::{Link, Seal};
use crate::spawn;
use crate::upstream::credential::{self, Common, Consent, Grants, KeyFile, Store, UserType};
use crate::upstream::{Client, Credential};

/// What opens each location. The state directory is only touched where there is something to keep in it.
///
/// `redis`: where other replicas have the same grants.
pub fn open(
    config: &Config,
    client: &Client,
    redis: Option<&(Link, Seal)>,
    clock: &Clock,
) -> anyhow::Result<Vec<Credential>> {
    let mut grants = None;
    let open = |location: &config::Location| {
        Ok(match &location.credential {
            config::Credential::Token(token) => token.clone().into(),
            config::Credential::TokenFile(path) => {
                let file = KeyFile::open(path.clone(), clock.clone());
                file.with_context(|| format!("the token cannot be read from {}", path.display()))?.into()
            }
            config::Credential::OAuth(oauth) => {
                let (grants, _) = match &mut grants {
                    Some(grants) => grants,
                    none => {
                        let dir = &config.state_dir;
                        let store = Store::open(dir).with_context(|| {
                            format!("GATEWAY_STATE_DIR is {}, and no tokens can be kept there", dir.display())
                        })?;
                        let common = redis.map(|(link, seal)| Common::new(link.clone(), seal.clone()));
                        none.insert((Grants::new(client.endpoint(), store, common.clone(), clock.clone()), common))
                    }
                };
                grants.open(&location.id, settings(oauth))?.into()
            }
        })
    };
    let opened = config.locations.iter().map(open).collect::<anyhow::Result<Vec<Credential>>>()?;
    if let Some((_, Some(common))) = grants {
        let opened = opened.iter().filter_map(Credential::oauth).cloned().collect();
        spawn::boxed(credential::compare(common, opened));
    }
    Ok(opened)
}

fn settings(oauth: &config::OAuth) -> credential::Settings {
    let consent = oauth.redirect_url.as_ref().map(|redirect| Consent {
        page: oauth.authorize_url.clone(),
        redirect: redirect.as_str().to_owned(),
        scopes: oauth.scopes.clone(),
    });
    credential::Settings {
        app: credential::App { id: oauth.client_id.clone(), secret: oauth.client_secret.clone() },
        user_type: match oauth.user_type {
            config::UserType::Location => UserType::Location,
            config::UserType::Company => UserType::Company,
        },
        first: oauth.refresh_token.clone(),
        consent,
    }
}
