//! The parts of a gateway, each made, shown, changed and removed, and what requests meet then.

mod certificates;
mod redirects;
mod routing;
mod settings;
