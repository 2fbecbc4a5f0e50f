//! Types from the schema at compile time: `graphql_client`, with `reqwest` as the way to the gateway.
//!
//!     GATEWAY_URL=http://127.0.0.1:4000 cargo run

use std::collections::{HashMap, HashSet};
use std::env;

use anyhow::{Context, Result, bail, ensure};
use eventsource_stream::Eventsource;
use futures_util::{Stream, StreamExt};
use graphql_client::{Error, GraphQLQuery, Response};
use reqwest::header::ACCEPT;
use serde::Deserialize;
use serde_json::Value;

/// A contact of the demo.
const AMARA: &str = "aM4raLqv7XbT2kW9hE3z";

// Scalars of the schema, as they are in JSON.
type DateTime = String;
#[allow(clippy::upper_case_acronyms)]
type JSON = Value;

macro_rules! operations {
    ($($name:ident),*) => {$(
        #[derive(GraphQLQuery)]
        #[graphql(
            schema_path = "../../schema/schema.graphql",
            query_path = "src/operations.graphql",
            response_derives = "Clone, Debug, PartialEq",
            variables_derives = "Default",
            skip_serializing_none
        )]
        struct $name;
    )*};
}

operations!(Profile, List, CreateTask, CreateContact, Changes);

/// What can be done about an error, by its code.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
enum Trouble {
    /// The contact is there already.
    Conflict { existing_contact_id: Option<String> },
    /// An input is wrong, and where.
    BadUserInput { input_path: Option<Vec<Value>> },
    /// Later, after so many milliseconds.
    RateLimited { retry_after_ms: u64 },
    /// Anything else.
    #[serde(other)]
    Other,
}

impl Trouble {
    fn of(error: &Error) -> Result<Self> {
        let extensions = error.extensions.clone().context("an error without extensions")?;
        Ok(serde_json::from_value(Value::Object(extensions.into_iter().collect()))?)
    }
}

struct Client {
    http: reqwest::Client,
    endpoint: String,
}

impl Client {
    async fn ask<Q: GraphQLQuery>(&self, variables: Q::Variables) -> Result<Response<Q::ResponseData>> {
        let ask = self.http.post(&self.endpoint).json(&Q::build_query(variables));
        Ok(ask.header(ACCEPT, "application/graphql-response+json").send().await?.json().await?)
    }

    /// The data of an answer without errors.
    async fn data<Q: GraphQLQuery>(&self, variables: Q::Variables) -> Result<Q::ResponseData> {
        let Response { data, errors, .. } = self.ask::<Q>(variables).await?;
        match errors {
            Some(errors) => bail!("{errors:?}"),
            None => data.context("an answer without data"),
        }
    }

    /// The results of a subscription, as an event stream. It stands when this returns.
    async fn subscribe<Q: GraphQLQuery>(
        &self,
        variables: Q::Variables,
    ) -> Result<impl Stream<Item = Result<Response<Q::ResponseData>>>> {
        let ask = self.http.post(&self.endpoint).json(&Q::build_query(variables));
        let events =
            ask.header(ACCEPT, "text/event-stream").send().await?.error_for_status()?.bytes_stream().eventsource();
        Ok(events.filter_map(async |event| match event {
            Ok(event) => (event.event == "next").then(|| Ok(serde_json::from_str(&event.data)?)),
            Err(broken) => Some(Err(broken.into())),
        }))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let gateway = env::var("GATEWAY_URL").unwrap_or_else(|_| "http://127.0.0.1:4000".to_owned());
    let client = Client { http: reqwest::Client::new(), endpoint: format!("{gateway}/graphql") };

    // A profile, kept by its id.
    let profile = client.data::<Profile>(profile::Variables { id: AMARA.to_owned() }).await?;
    let contact = profile.contact.context("no such contact")?;
    let mut kept: HashMap<String, Vec<String>> = HashMap::new();
    let tasks = contact.tasks.unwrap_or_default().into_iter().filter_map(|task| task.title);
    kept.insert(contact.id, tasks.collect());
    println!("profile: {}, {} open tasks", contact.name.unwrap_or_default(), kept[AMARA].len());

    // A list, page by page.
    let mut seen = HashSet::new();
    let mut after = None;
    for _ in 0..2 {
        let page = client.data::<List>(list::Variables { first: 10, after }).await?.contacts;
        seen.extend(page.nodes.into_iter().map(|contact| contact.id));
        after = page.page_info.end_cursor;
    }
    ensure!(seen.len() == 20, "{} contacts on two pages", seen.len());
    println!("list: {} contacts on two pages", seen.len());

    // A subscription, before the change that it tells.
    let told = client.subscribe::<Changes>(changes::Variables { id: AMARA.to_owned() }).await?;
    let mut told = std::pin::pin!(told);

    // A change, and what is kept follows it.
    let input = create_task::CreateTaskInput {
        contact_id: AMARA.to_owned(),
        title: "Call back".to_owned(),
        due_date: "2026-07-01T09:00:00Z".to_owned(),
        ..Default::default()
    };
    let made = client.data::<CreateTask>(create_task::Variables { input }).await?;
    let task = made.create_task.and_then(|payload| payload.task).context("no task")?;
    kept.entry(AMARA.to_owned()).or_default().extend(task.title);
    println!("mutation: {} open tasks are kept", kept[AMARA].len());

    let change = told.next().await.context("no change")??.data.context("no data")?.contact_changed;
    ensure!(
        change.kind == changes::ChangeKind::CREATED && change.resource == changes::ChangedResource::TASK,
        "{change:?}"
    );
    println!("subscription: {:?} {:?}", change.resource, change.kind);

    // An error, by its code.
    let email = Some("amara.lindqvist@example.com".to_owned());
    let input = create_contact::CreateContactInput { email, ..Default::default() };
    let errors = client.ask::<CreateContact>(create_contact::Variables { input }).await?.errors.unwrap_or_default();
    let trouble = Trouble::of(errors.first().context("there are two of her")?)?;
    let Trouble::Conflict { existing_contact_id: Some(id) } = &trouble else { bail!("{trouble:?}") };
    ensure!(id == AMARA, "{trouble:?}");
    println!("error: CONFLICT, the contact is {id}");
    Ok(())
}
