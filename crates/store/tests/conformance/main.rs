//! What every store promises. A store takes part with a `Subject` and one line at the end.

mod bounds;
mod commits;
mod embedded;
mod histories;
mod reads;
mod subject;
mod watches;

pub(crate) use subject::Fresh;

/// Runs every test of the suite on a subject; the list is here once.
macro_rules! conforms {
    ($name:ident, $subject:expr) => {
        conforms!(@tests $name, $subject,
            reads::an_entry_is_read_as_it_was_written,
            reads::a_list_has_the_keys_of_its_prefix_in_the_order_of_their_bytes,
            reads::a_prefix_ends_where_its_last_byte_could_not_be_greater,
            reads::pages_follow_on_each_other,
            reads::a_page_of_large_values_ends_early,
            commits::every_step_has_the_next_revision,
            commits::what_changes_nothing_makes_no_step,
            commits::the_first_condition_that_fails_is_told,
            commits::a_transaction_with_a_failing_condition_changes_nothing,
            commits::an_entry_made_anew_is_a_new_one,
            commits::conditions_see_the_state_before_the_operations,
            commits::of_many_that_race_one_wins,
            commits::a_dropped_commit_is_whole_or_not_there,
            bounds::what_is_too_large_is_refused,
            bounds::what_is_just_not_too_large_is_taken,
            watches::a_watch_tells_every_step_from_where_it_began,
            watches::a_watch_tells_of_its_prefix_only,
            watches::a_watch_waits_for_what_comes,
            watches::a_watch_may_begin_in_the_future,
            watches::a_step_tells_what_the_entry_was_then,
            watches::dropping_a_wait_loses_nothing,
            watches::steps_that_are_not_kept_are_told_to_be_missing,
            watches::a_watch_that_fell_behind_is_told_so,
            watches::large_steps_come_whole,
            watches::many_watches_see_the_same,
            histories::one_after_another_as_a_map_would_do,
            histories::side_by_side_in_the_order_of_their_revisions,
            histories::a_page_shows_whole_transactions,
        );
    };
    (@tests $name:ident, $subject:expr, $($module:ident :: $test:ident,)*) => {
        mod $name {
            $(#[test]
            fn $test() {
                crate::subject::run(&$subject, crate::$module::$test);
            })*
        }
    };
}

conforms!(on_sqlite, crate::embedded::OnSqlite);
