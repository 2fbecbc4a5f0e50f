//! The key by which appointments are loaded.

use std::sync::Arc;
use std::time::Duration;

use super::api;
use super::model::Appointment;
use crate::cache::{EntityKey, Kind};
use crate::upstream::{Account, Call, Error, Id, Question, Route, Session, Ttls};

/// All appointments of a contact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AppointmentsOf {
    account: Arc<Account>,
    contact: Id,
}

impl AppointmentsOf {
    pub fn new(account: Arc<Account>, contact: Id) -> Self {
        Self { account, contact }
    }
}

impl Question for AppointmentsOf {
    type Answer = Box<[Appointment]>;

    const KIND: Kind = Kind::Appointments;

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn key(&self) -> EntityKey {
        EntityKey::new(self.account.view, Self::KIND, self.contact.as_str())
    }

    fn route(&self) -> Route {
        api::LIST
    }

    fn ttl(&self, ttls: &Ttls) -> Duration {
        ttls.appointments
    }

    async fn fetch(&self, session: &Session) -> Result<Option<(Self::Answer, usize)>, Error> {
        let Some(body) = session.get(&Call::to(api::LIST, &[&self.contact])).await? else {
            return Ok(None);
        };
        let appointments = api::list(session.account(), &self.contact, &body)?;
        let bytes = body.len() + appointments.len() * size_of::<Appointment>();
        Ok(Some((appointments.into(), bytes)))
    }
}
