//! What is to be done by itself when something happens: rules of a file, followed event by event.

mod action;
mod condition;
mod form;
mod names;
mod rules;
mod template;
mod trigger;

pub use form::Problem;
pub use rules::Rules;
