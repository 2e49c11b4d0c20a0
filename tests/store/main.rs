//! The store's promises: one suite that every engine keeps, and further promises of each engine.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod accounts;
mod batches;
mod billing;
mod caching;
mod calls;
mod closing;
mod cluster;
mod connections;
mod crash;
mod embedded;
mod full_account;
mod journal;
mod leases;
mod limits;
mod measure;
mod migration;
mod model;
mod outages;
mod races;
mod recalled;
mod redis;
mod sequences;
mod settling;
mod spoilt;
#[path = "../support/lib.rs"]
mod support;
mod windows;
mod world;

/// Runs each promise against each engine, on a store of its own; on a Cluster, which is slow to start, one after another.
macro_rules! every_engine_keeps {
    ($($group:ident { $($promise:ident)+ })+) => {
        mod on_sqlite {
            $(mod $group {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    crate::$group::$promise(&crate::world::World::sqlite()).await;
                })+
            })+
        }
        mod on_redis {
            $(mod $group {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    crate::$group::$promise(&crate::world::World::redis().await).await;
                })+
            })+
        }
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn a_cluster_keeps_every_promise() {
            let cluster = cluster::Empty::start().await;
            $($({
                let world = cluster.world().await;
                Box::pin($group::$promise(&world)).await;
            })+)+
            cluster::names_keep_their_braces(&cluster).await;
        }
    };
}

every_engine_keeps! {
    accounts {
        a_new_account_has_nothing_but_what_was_named
        a_change_leaves_alone_what_it_does_not_name
        assigning_a_plan_writes_its_credits_and_an_explicit_number_stays
        a_grant_counts_once_and_its_repeat_says_so
        an_id_grants_one_number_and_nothing_uses_none_up
        what_is_spent_or_set_aside_cannot_be_taken_back
        what_cannot_be_is_refused_and_changes_nothing
        a_key_opens_its_account_and_no_other
        revoking_twice_keeps_the_first_date
        keys_are_listed_oldest_first_with_what_each_has_used
        a_key_keeps_what_it_was_made_with
        when_keys_were_last_used_is_written_many_at_once
        an_account_that_is_there_is_not_made_again
        numbers_of_its_own_stay_until_the_next_plan
        accounts_are_listed_in_the_order_of_their_ids
        strange_account_ids_share_nothing
        the_store_answers_a_ping
    }
    billing {
        a_step_is_written_once
        a_step_from_an_older_state_writes_nothing
        a_plan_that_an_operator_assigns_meanwhile_is_not_undone
        steps_at_once_come_one_after_another
        a_step_makes_the_account_that_it_names
        a_period_comes_back_as_it_was_stated
        an_object_is_written_only_over_what_was_read
        a_step_that_may_take_only_free_credits_takes_no_others
        parked_events_are_found_by_any_of_their_ids_until_they_are_forgotten
        moved_usage_is_found_in_its_new_cycle_only
        a_hold_on_a_cycle_that_was_moved_follows_it
        a_subscription_that_lapses_leaves_the_default_plan_at_once
        what_an_operator_assigns_after_a_lapse_stays
        a_refund_takes_back_what_is_spent_already
    }
    races {
        the_last_credit_is_spent_once
        a_thousand_requests_share_a_hundred_credits
        one_operation_held_many_times_at_once_takes_one_credit
        keep_and_release_racing_agree_on_one_end
    }
    settling {
        included_credits_are_spent_before_prepaid_ones
        app_and_api_usage_draw_on_one_pool
        a_repeated_hold_is_the_same_hold
        a_repeated_keep_counts_once
        the_first_of_keep_and_release_wins
        a_release_gives_the_credit_back
        a_hold_that_comes_after_its_release_does_nothing
        an_operation_id_belongs_to_its_payer
        without_an_account_there_is_no_hold
    }
    leases {
        a_credit_is_free_again_when_its_lease_ends
        a_keep_after_its_lease_counts_once
        an_ended_lease_may_be_taken_again_under_its_id
        waiting_for_a_lease_is_advised_only_where_it_helps
        holds_open_counts_no_ended_lease
    }
    limits {
        a_denied_burst_moves_nothing
        a_denied_quota_has_still_used_the_burst_and_says_so
        a_keys_cap_bounds_what_it_spends_of_either_pool
        open_holds_of_a_capped_key_count_and_waiting_for_them_is_advised
        a_capped_keys_open_hold_of_last_month_takes_nothing_from_this_one
        a_hold_says_what_it_leaves
        a_repeat_takes_nothing_from_the_short_term_limit
        an_anonymous_day_has_its_limit_and_ends_at_midnight
        clients_share_nothing
    }
    closing {
        a_month_is_closed_page_by_page_and_every_audit_is_exact
        a_number_of_a_closed_month_can_be_mended
        a_month_stays_open_for_eight_days_whatever_a_gateways_clock_says
        a_keep_for_a_closed_month_is_refused_and_nothing_counts_twice
        two_gateways_that_close_at_once_close_everything_once
    }
    windows {
        a_request_that_spans_midnight_lands_in_the_month_of_its_hold
        a_new_month_brings_new_included_credits_and_the_same_prepaid_ones
        an_open_hold_of_last_month_takes_nothing_from_this_one
    }
}
