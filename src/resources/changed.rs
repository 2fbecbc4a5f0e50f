//! What a change touches: the one place that says which values are not true any more.

use crate::cache::{Kind, Tag, View};

use super::contact::{ALL, OF_A_BUSINESS, SEARCHED};

/// A change of one thing.
#[derive(Clone, Copy, Debug)]
pub enum Changed<'a> {
    /// Something of a contact itself; its pages go with it, and searches that it may enter or leave.
    Contact(&'a str),
    /// A contact came; every list may have it.
    ContactCame(&'a str),
    /// A contact went, with everything that belonged to it.
    ContactGone(&'a str),
    /// It is not known which contact came, or whether one did.
    SomeContactCame,
    /// It is not known which contact came or was changed, or whether one was.
    AnyContact,
    /// One task of a contact, and so the list of them.
    Task(&'a str, &'a str),
    /// A task of a contact came, or may have.
    TaskCame(&'a str),
    /// It is not known which task of a contact.
    AnyTask(&'a str),
    /// One note of a contact, and so the list of them.
    Note(&'a str, &'a str),
    /// A note of a contact came, or may have.
    NoteCame(&'a str),
    /// It is not known which note of a contact.
    AnyNote(&'a str),
    /// Some appointment of a contact.
    Appointments(&'a str),
}

impl Changed<'_> {
    /// Tells everything that was made from what changed.
    pub fn tell(self, view: &View, tell: &mut dyn FnMut(Tag<'_>)) {
        let lists = |tell: &mut dyn FnMut(Tag<'_>), sorts: &[&str]| {
            for sort in sorts {
                tell(view.tag(Kind::Page, sort));
            }
        };
        let all = [ALL, OF_A_BUSINESS, SEARCHED];
        match self {
            Self::Contact(id) => {
                tell(view.tag(Kind::Contact, id));
                lists(tell, &[SEARCHED]);
            }
            Self::ContactCame(id) => {
                tell(view.tag(Kind::Contact, id));
                lists(tell, &all);
            }
            Self::ContactGone(id) => {
                tell(view.tag(Kind::Contact, id));
                for belonging in [Self::AnyTask(id), Self::AnyNote(id), Self::Appointments(id)] {
                    belonging.tell(view, tell);
                }
                lists(tell, &all);
            }
            Self::SomeContactCame => lists(tell, &all),
            Self::AnyContact => tell(view.any_contact()),
            Self::Task(contact, id) => {
                tell(view.tag(Kind::Tasks, contact));
                tell(view.tag(Kind::Task, &one_of(contact, id)));
            }
            Self::TaskCame(contact) => tell(view.tag(Kind::Tasks, contact)),
            Self::AnyTask(contact) => {
                tell(view.tag(Kind::Tasks, contact));
                tell(view.tag(Kind::Task, &each_of(contact)));
            }
            Self::Note(contact, id) => {
                tell(view.tag(Kind::Notes, contact));
                tell(view.tag(Kind::Note, &one_of(contact, id)));
            }
            Self::NoteCame(contact) => tell(view.tag(Kind::Notes, contact)),
            Self::AnyNote(contact) => {
                tell(view.tag(Kind::Notes, contact));
                tell(view.tag(Kind::Note, &each_of(contact)));
            }
            Self::Appointments(contact) => tell(view.tag(Kind::Appointments, contact)),
        }
    }
}

/// The id under which a record of a contact is held. No id has a slash in it.
pub fn one_of(contact: &str, record: &str) -> String {
    format!("{contact}/{record}")
}

/// The id that stands for each record of a contact.
pub fn each_of(contact: &str) -> String {
    one_of(contact, "")
}
