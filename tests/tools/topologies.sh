#!/usr/bin/env bash
# Runs the suites that treat the platform from without, as clients do, on topologies as `natter up` runs them: `topologies.sh
# standalone cluster distributed`, within with-postgres.sh. The suites are what `make test` runs too, unchanged; `make
# topologies` builds the programs first. `SUITES="kicks groups"` runs fewer.
set -euo pipefail

read -ra suites <<<"${SUITES:-conversation whole_conversations groups kicks resume account moderation admin_walk}"
tests=()
for suite in "${suites[@]}"; do tests+=(--test "$suite"); done

# These stop one part to see what the others do, or try a door that isn't for staff: where all parts are in each process, there
# is neither.
apart=(
    a_ban_ends_every_session_says_why_and_lasts_until_it_is_lifted
    reports_of_one_user_have_a_bound_and_none_is_taken_while_nobody_keeps_them
    rules_hold_in_every_copy_and_while_the_admin_module_is_down
    a_deletion_outlives_the_absence_of_whoever_must_learn_of_it
    a_campaign_reaches_each_recipient_once_whatever_is_killed
    who_is_muted_says_nothing_by_names_announcements_invitations_and_requests_either
    an_operator_says_something_to_everyone_and_everyone_hears_it_once
)

# It waits to be told that the edge is gone: `natter up` has it back before anybody asks.
never=(who_watches_a_campaign_goes_on_when_the_edge_is_back)

for topology in "$@"; do
    skips=("${never[@]}")
    [ "$topology" = distributed ] || skips+=("${apart[@]}")
    # What runs on several machines has a database that they all reach.
    [ "$topology" = standalone ] || skips+=(sqlite)
    arguments=()
    for skip in "${skips[@]}"; do arguments+=(--skip "$skip"); done
    echo "on $topology:"
    started=$SECONDS
    NATTER_TEST_TOPOLOGY=$topology cargo test --workspace --no-fail-fast "${tests[@]}" -- "${arguments[@]}"
    echo "on $topology: passed in $((SECONDS - started)) s"
done
