//! The gateway's own schema, asked and changed by the gateway itself.

use std::sync::Arc;
use std::time::Duration;

use apollo_compiler::response::JsonMap;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::caller::{Caller, Scopes};
use crate::graph::{DataLoader, Request};
use crate::operation::Operations;
use crate::resources::contact::start_workflow;
use crate::upstream::{Account, Errand, Fault, Id, Lane, Payer};

/// Most time for one question.
const TIME: Duration = Duration::from_secs(30);
/// No end to speak of: a change ends by itself, since each of its calls has its time, and nobody may try it again before.
const ENDS: Duration = Duration::from_secs(3600);
/// By then a change is sent or not at all.
const SENT_WITHIN: Duration = Duration::from_secs(15);

/// All automations take turns with the callers as one of them.
const PAYER: Payer = Payer(0x6175_746f_6d61_7465);

/// The way to ask and to change things.
pub struct Schema {
    pub operations: Arc<Operations>,
    pub loader: DataLoader,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmade {
    /// It was surely not done, and may be at another time.
    NotYet(String),
    /// It is not known whether it was done.
    Unclear(String),
    /// It will not be done, however often it is tried.
    Never(String),
}

impl Unmade {
    /// Why.
    pub fn why(self) -> String {
        match self {
            Self::NotYet(why) | Self::Unclear(why) | Self::Never(why) => why,
        }
    }
}

impl Schema {
    /// The data of a query. What the upstream does not have is null, without an error.
    pub async fn ask(&self, account: &Arc<Account>, query: &str, variables: Value) -> Result<Value, Unmade> {
        let (data, unmade) = self.run(self.request(account, TIME), query, variables).await;
        unmade.map_or(Ok(data), Err)
    }

    /// The data of a mutation. It goes after everything that somebody waits for.
    pub async fn change(&self, account: &Arc<Account>, mutation: &str, input: Value) -> Result<Value, Unmade> {
        let mut variables = Map::new();
        variables.insert("input".to_owned(), input);
        let request = self.request(account, ENDS).in_background(Instant::now() + SENT_WITHIN);
        let (data, unmade) = self.run(request, mutation, variables.into()).await;
        unmade.map_or(Ok(data), Err)
    }

    /// Lets a contact enter a workflow. There is no mutation for that.
    pub async fn start_workflow(&self, account: &Arc<Account>, contact: Id, workflow: Id) -> Result<(), Unmade> {
        let errand = Errand::new(PAYER, Some(Instant::now() + SENT_WITHIN)).in_lane(Lane::Background);
        let upstream = self.loader.upstream().on(errand);
        start_workflow(&upstream, account.clone(), contact, workflow).await.map_err(|error| {
            let why = error.to_string();
            match error.fault {
                Fault::RateLimited(_) => Unmade::NotYet(why),
                Fault::Timeout | Fault::Unavailable | Fault::Credential if !error.reached => Unmade::NotYet(why),
                _ if error.is_unclear() => Unmade::Unclear(why),
                _ => Unmade::Never(why),
            }
        })
    }

    fn request(&self, account: &Arc<Account>, time: Duration) -> Request {
        let caller = Arc::new(Caller { account: account.clone(), scopes: Scopes::ALL });
        Request::new(caller, PAYER, self.loader.clone(), Instant::now() + time)
    }

    async fn run(&self, request: Request, document: &str, variables: Value) -> (Value, Option<Unmade>) {
        let variables: JsonMap = serde_json::from_value(variables).unwrap_or_default();
        let response = self.operations.run_inside(request, document, variables, "automations").await;
        let errors = response.errors.iter().filter_map(|error| {
            let told = serde_json::to_value(&error.extensions).unwrap_or_default();
            match told["code"].as_str().unwrap_or_default() {
                // A contact that went away between two calls is none.
                "NOT_FOUND" if document.starts_with("query") => None,
                "RATE_LIMITED" => Some(Unmade::NotYet(error.message.clone())),
                "UPSTREAM_TIMEOUT" | "UPSTREAM_UNAVAILABLE" | "UPSTREAM_BAD_RESPONSE" => {
                    Some(Unmade::Unclear(error.message.clone()))
                }
                _ => Some(Unmade::Never(error.message.clone())),
            }
        });
        // What may be another time goes before what will never be.
        let rank = |unmade: &Unmade| matches!(unmade, Unmade::Never(_));
        let first = errors.min_by_key(rank);
        (response.data.into_json().unwrap_or_default(), first)
    }
}
