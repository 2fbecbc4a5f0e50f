//! A contact that is looked at again and again: what of it is another than it was at the look before.

use std::collections::HashMap;
use std::sync::Arc;

use super::appointment::AppointmentsOf;
use super::appointment::model::Appointment;
use super::changed::Changed;
use super::contact::ContactById;
use super::contact::model::Contact;
use super::note::NotesOf;
use super::note::model::Note;
use super::task::TasksOf;
use super::task::model::Task;
use crate::cache::Kind;
use crate::changes::{Change, ChangeKind, ChangedResource, Resources};
use crate::upstream::{Account, Error, Id, Question, Upstream};

/// What was seen of a contact when it was last looked at.
pub struct Watched {
    account: Arc<Account>,
    id: Id,
    /// `Some(None)`: there was no such contact.
    contact: Option<Option<Arc<Contact>>>,
    tasks: List<Task>,
    notes: List<Note>,
    appointments: List<Appointment>,
}

type List<T> = Option<Arc<Box<[T]>>>;

impl Watched {
    /// A contact that was not looked at yet; `None`: nothing has such an id.
    pub fn new(account: &Arc<Account>, id: &str) -> Option<Self> {
        let (account, id) = (account.clone(), Id::of_contact(id).ok()?);
        Some(Self { account, id, contact: None, tasks: None, notes: None, appointments: None })
    }

    /// Looks at the contact and at those of its lists that are named, and tells what is another than before, after what was
    /// made from it is forgotten. The first look tells nothing: there is nothing to compare with. A list that cannot be had keeps no
    /// other from being looked at.
    pub async fn look(
        &mut self,
        upstream: &Upstream,
        about: Resources,
        tell: &mut (dyn FnMut(Change) + Send),
    ) -> Result<(), Error> {
        let now = upstream.read_now(&ContactById::whole(self.account.clone(), self.id.clone())).await?;
        let is_there = now.is_some();
        self.compare(upstream, now, tell);
        let Self { account, id, tasks, notes, appointments, .. } = self;
        let (account, contact, view) = (&*account, id.as_str(), account.view);
        let has = |resource| is_there && about.has(resource);
        let mut told = |resource, (kind, id): &(ChangeKind, Box<str>)| {
            match resource {
                ChangedResource::Task => Changed::Task(contact, id).tell(&view, &mut |tag| upstream.forget(tag)),
                ChangedResource::Note => Changed::Note(contact, id).tell(&view, &mut |tag| upstream.forget(tag)),
                _ => upstream.forget(view.tag(Kind::Appointments, contact)),
            }
            tell(account.change(*kind, resource, Some(id), contact));
        };
        let asked = has(ChangedResource::Task).then(|| TasksOf::new(account.clone(), id.clone()));
        let tasks = look_at(upstream, asked, tasks, Task::id).await;
        tasks.iter().flatten().for_each(|one| told(ChangedResource::Task, one));
        let asked = has(ChangedResource::Note).then(|| NotesOf::new(account.clone(), id.clone()));
        let notes = look_at(upstream, asked, notes, Note::id).await;
        notes.iter().flatten().for_each(|one| told(ChangedResource::Note, one));
        let asked = has(ChangedResource::Appointment).then(|| AppointmentsOf::new(account.clone(), id.clone()));
        let appointments = look_at(upstream, asked, appointments, Appointment::id).await;
        appointments.iter().flatten().for_each(|one| told(ChangedResource::Appointment, one));
        tasks.and(notes).and(appointments).map(|_| ())
    }

    fn compare(&mut self, upstream: &Upstream, now: Option<Arc<Contact>>, tell: &mut (dyn FnMut(Change) + Send)) {
        let id = self.id.as_str();
        let (kind, changed) = match (self.contact.replace(now.clone()), now) {
            (Some(None), Some(_)) => (ChangeKind::Created, Changed::ContactCame(id)),
            (Some(Some(_)), None) => (ChangeKind::Deleted, Changed::ContactGone(id)),
            (Some(Some(before)), Some(now)) if before != now => (ChangeKind::Updated, Changed::Contact(id)),
            _ => return,
        };
        changed.tell(&self.account.view, &mut |tag| upstream.forget(tag));
        tell(self.account.change(kind, ChangedResource::Contact, Some(id), id));
    }
}

/// What of a list is another than before; nothing of a list that is not asked for, which is let go.
async fn look_at<T: PartialEq, Q: Question<Answer = Box<[T]>>>(
    upstream: &Upstream,
    question: Option<Q>,
    before: &mut List<T>,
    id: fn(&T) -> &str,
) -> Result<Vec<(ChangeKind, Box<str>)>, Error> {
    let now = match question {
        Some(question) => upstream.read_now(&question).await?,
        None => None,
    };
    let old = std::mem::replace(before, now.clone());
    Ok(old.zip(now).map_or_else(Vec::new, |(old, now)| differing(&old, &now, id)))
}

fn differing<T: PartialEq>(before: &[T], now: &[T], id: fn(&T) -> &str) -> Vec<(ChangeKind, Box<str>)> {
    let mut old: HashMap<&str, &T> = before.iter().map(|one| (id(one), one)).collect();
    let mut found = Vec::new();
    for one in now {
        match old.remove(id(one)) {
            None => found.push((ChangeKind::Created, id(one).into())),
            Some(before) if before != one => found.push((ChangeKind::Updated, id(one).into())),
            Some(_) => {}
        }
    }
    found
        .extend(before.iter().filter(|one| old.contains_key(id(one))).map(|one| (ChangeKind::Deleted, id(one).into())));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_went_and_changed_is_told_by_its_id() {
        let before = [("a", 1), ("b", 1), ("c", 1)];
        let now = [("d", 1), ("c", 1), ("b", 2)];
        let found = differing(&before, &now, |one| one.0);
        let want = [(ChangeKind::Created, "d"), (ChangeKind::Updated, "b"), (ChangeKind::Deleted, "a")];
        assert_eq!(found, want.map(|(kind, id)| (kind, id.into())));
        assert!(differing(&now, &now, |one| one.0).is_empty());
    }
}
