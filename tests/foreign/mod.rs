//! Projects that are not ours: a fresh `wagtail start` site, a shop of django-oscar and a Pulp server. What the tool leaves behind
//! is what Django's own `migrate` leaves, and what the preview calls complete is all that runs.
//!
//! Absent here: what each halt says; these runs end well.

mod apply;
mod extension;
mod preview;
mod same;
