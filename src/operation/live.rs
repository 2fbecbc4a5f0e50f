//! Subscriptions: each is begun once, and then executed anew for every change that it is told.
//!
//! Many watch the same with the same eyes. What one change comes to for them is executed once, and kept for those who come
//! a little later.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_graphql::{Response, ServerError, Value, Variables};
use moka::sync::Cache;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use super::answers::{Key, Outcome};
use super::document::{Document, Operation};
use super::facts::Kind;
use super::outcome::publish;
use super::{Answer, Asked, GRACE, Named, Operations, Prepared, Refusal, execute, failed, server_error};
use crate::cache::{Epoch, Flights, Joined};
use crate::changes::{ChangedResource, Notice, Resources};
use crate::graph::{Code, Error, Live, Request, Wanted};

/// Those who watch the same are told a change within this time, as a rule.
const KEPT: Duration = Duration::from_secs(5);

/// Most memory for what was told lately, in bytes.
const MOST_KEPT: u64 = 8 << 20;

/// A subscription that has begun.
pub struct Subscription {
    document: Arc<Document>,
    /// Which of the document's operations it is.
    at: usize,
    variables: Variables,
    key: Key,
    named: Arc<Named>,
    wanted: Wanted,
}

impl Subscription {
    /// What it watches for.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// What it looks at beside contacts themselves.
    pub fn about(&self) -> Resources {
        let kinds = [
            ("Task", ChangedResource::Task),
            ("Note", ChangedResource::Note),
            ("Appointment", ChangedResource::Appointment),
        ];
        let asked = |name: &str, resource| {
            self.operation().facts.types.contains(name) || self.wanted.resources.contains(&resource)
        };
        let asked = kinds.into_iter().filter(|(name, resource)| asked(name, *resource));
        asked.fold(Resources::default(), |all, (_, resource)| all.with(resource))
    }

    fn operation(&self) -> &Operation {
        &self.document.operations()[self.at]
    }

    fn executable(&self) -> async_graphql::Request {
        let mut executable = async_graphql::Request::new("").variables(self.variables.clone());
        executable.set_parsed_query(self.operation().executable());
        executable
    }
}

/// What was told lately, and what is about to be.
pub struct Told {
    lately: Cache<(Key, u64), Outcome>,
    making: Flights<(Key, u64), Outcome>,
    places: Arc<Semaphore>,
}

impl Told {
    /// `places`: most executions at one time.
    pub fn new(places: usize) -> Self {
        let weigh = |_: &(Key, u64), outcome: &Outcome| match outcome {
            Outcome::Ready(ready) => u32::try_from(ready.body.len() + 512).unwrap_or(u32::MAX),
            Outcome::Failed(_) => 2048,
        };
        let lately = Cache::builder().max_capacity(MOST_KEPT).weigher(weigh).time_to_live(KEPT).build();
        Self { lately, making: Flights::default(), places: Arc::new(Semaphore::new(places)) }
    }
}

impl Operations {
    /// Begins a subscription: finds out what it watches for, and whether it may. `Ok(None)`: the request is something else.
    pub async fn subscribe(
        &self,
        mut request: Request,
        asked: &Asked,
        request_id: &str,
    ) -> Result<Option<Subscription>, Answer> {
        let refuse = |status, problems| Answer::Refused(Refusal::each(status, problems, request_id));
        let document = self.trusted.document(asked, &self.documents);
        let document = document.map_err(|(status, problems)| refuse(status, problems))?;
        let one = |problem| refuse(400, vec![problem]);
        let operation = document.choose(asked.operation_name.as_deref()).map_err(one)?;
        if operation.facts.kind != Kind::Subscription {
            return Ok(None);
        }
        let prepared = self.with_variables(&request.caller, &document, operation, asked).map_err(one)?;
        self.admit(&request, &prepared).map_err(|error| one(error.into()))?;
        let noted = Arc::new(OnceLock::new());
        request.live = Live::Begins(noted.clone());
        let mut response = execute(self.schema.clone(), request, prepared.executable()).await;
        if response.errors.is_empty() && noted.get().is_none() {
            let message = "A subscription has to name its field itself: fragments are for what is inside of it.";
            return Err(one(Error::bad_input(message).into()));
        }
        let Prepared { variables, key, named, .. } = prepared;
        let at = document.operations().iter().position(|one| std::ptr::eq(one, operation));
        match (Arc::into_inner(noted).and_then(OnceLock::into_inner), at) {
            (Some(wanted), Some(at)) if response.errors.is_empty() => {
                Ok(Some(Subscription { document, at, variables, key, named, wanted }))
            }
            _ => {
                publish(&mut response.errors, request_id);
                Err(Answer::Executed(response))
            }
        }
    }

    /// Begins a subscription that goes on once more, for nothing but to find out whether it still may; why not, if it is
    /// known that it may not.
    pub async fn look_again(
        &self,
        mut request: Request,
        subscription: &Subscription,
        request_id: &str,
    ) -> Result<(), Vec<ServerError>> {
        if let Err(error) = self.trusted.may_go_on(&subscription.document.digest) {
            return Err(vec![server_error(error.into(), request_id)]);
        }
        request.live = Live::Begins(Arc::default());
        let Response { mut errors, .. } = execute(self.schema.clone(), request, subscription.executable()).await;
        publish(&mut errors, request_id);
        let codes = [Code::Unauthenticated, Code::Forbidden].map(|code| Value::from(code.as_str()));
        let code = |error: &ServerError| error.extensions.as_ref()?.get("code").cloned();
        match errors.iter().filter_map(code).any(|code| codes.contains(&code)) {
            true => Err(errors),
            false => Ok(()),
        }
    }

    /// What a change comes to for a subscription. `request` is for this change alone.
    pub async fn tell(
        &self,
        mut request: Request,
        subscription: &Subscription,
        notice: &Arc<Notice>,
        request_id: &str,
    ) -> Answer {
        let deadline = request.deadline() + GRACE;
        request.merges = subscription.operation().facts.merges;
        request.live = Live::Told(notice.clone());
        let key = (subscription.key, notice.number);
        let known = || self.told.lately.get(&key);
        let making = |_: Epoch| {
            let execution = self.make(request, subscription.named.clone(), subscription.executable());
            let (lately, places) = (self.told.lately.clone(), self.told.places.clone());
            async move {
                let Ok(Ok(_place)) = timeout_at(deadline, places.acquire()).await else {
                    return failed(Error::out_of_time());
                };
                let outcome = execution.await;
                lately.insert(key, outcome.clone());
                outcome
            }
        };
        // It was begun after the change was forgotten, whoever began it.
        let outcome = match known() {
            Some(outcome) => outcome,
            None => match self.told.making.join(&key, known, |_| true, || self.answers.now(), making) {
                Joined::Known(outcome) => outcome,
                Joined::Shared(share) | Joined::Started(share) => match timeout_at(deadline, share.landed()).await {
                    Ok(Some(outcome)) => outcome,
                    Ok(None) => failed(Error::internal()),
                    Err(_) => failed(Error::out_of_time()),
                },
            },
        };
        match outcome {
            Outcome::Ready(ready) => Answer::Ready(ready),
            Outcome::Failed(failed) => Answer::Executed(failed.response(request_id)),
        }
    }
}
