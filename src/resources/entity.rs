//! Things that other subgraphs refer to by their keys.

use std::borrow::Cow;

use async_graphql::{Any, Context, Object, Union, Value};
use futures_util::future::join_all;

use super::appointment::{self, Appointment};
use super::contact::{self, Contact};
use super::note::{self, Note};
use super::task::{self, Task};
use crate::graph::cost::{Cost, Fields};
use crate::graph::error::brief;
use crate::graph::filter::MOST;
use crate::graph::{Error, Request, Scope};

/// The types that have a key, with its fields.
pub const KEYS: &[(&str, &[&str])] =
    &[("Contact", &["id"]), ("Task", RECORD), ("Note", RECORD), ("Appointment", RECORD)];

/// A record is found by its own id and its contact's: the upstream knows no way by its own id alone.
const RECORD: &[&str] = &["id", "contactId"];

/// What each costs, by its type.
const COSTS: &[(&str, Cost)] = &[
    ("Contact", Cost::Record(&contact::cost::CONTACT, &["id"])),
    ("Task", Cost::Record(&task::cost::TASK, task::cost::IDS)),
    ("Note", Cost::Record(&note::cost::NOTE, note::cost::IDS)),
    ("Appointment", Cost::Record(&appointment::cost::APPOINTMENTS, &["contactId"])),
];

/// What fields cost.
pub const FIELDS: &[Fields] =
    &[Fields { on: "Query", costs: &[("_entities", Cost::Entities("representations", COSTS))], at_hand: &[] }];

/// A thing that other subgraphs can refer to.
#[derive(Union)]
#[graphql(name = "_Entity")]
enum Entity {
    Contact(Contact),
    Task(Task),
    Note(Note),
    Appointment(Appointment),
}

/// Things by their keys.
#[derive(Default)]
pub struct EntityQuery;

/// Things by their keys.
#[Object]
impl EntityQuery {
    /// The things that these stand for, in the same order and number, null where there is none: for the router of a
    /// federated graph. Each is asked for once, however often it is given.
    #[graphql(name = "_entities")]
    async fn entities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Types with their keys, at most 500.")] representations: Vec<Any>,
    ) -> Result<Vec<Option<Result<Entity, Error>>>, Error> {
        // One error, and not one for each.
        Request::of(ctx).may(Scope::ContactsReadonly)?;
        if representations.len() > MOST {
            let many = representations.len();
            return Err(Error::bad_input(format!("`representations` has {many} things; it can have {MOST}.")));
        }
        let found = representations.iter().map(async |Any(of)| find(ctx, of).await.transpose());
        Ok(join_all(found).await)
    }
}

async fn find(ctx: &Context<'_>, of: &Value) -> Result<Option<Entity>, Error> {
    let id = key(of, "id");
    let contact = || key(of, "contactId");
    Ok(match &*key(of, "__typename")? {
        "Contact" => contact::one_of_many(ctx, &id?).await?.map(Entity::Contact),
        "Task" => task::find(ctx, &contact()?, &id?).await?.map(Entity::Task),
        "Note" => note::find(ctx, &contact()?, &id?).await?.map(Entity::Note),
        "Appointment" => appointment::find(ctx, &contact()?, &id?).await?.map(Entity::Appointment),
        other => return Err(Error::bad_input(format!("`{}` is no type that has a key here.", brief(other)))),
    })
}

/// A field of a representation.
fn key<'a>(of: &'a Value, name: &str) -> Result<Cow<'a, str>, Error> {
    let value = match of {
        Value::Object(fields) => fields.get(name),
        _ => None,
    };
    match value {
        Some(Value::String(text)) => Ok(text.into()),
        Some(Value::Number(number)) => Ok(number.to_string().into()),
        _ => Err(Error::bad_input(format!("A representation lacks `{name}`, or has something there that is no id."))),
    }
}
