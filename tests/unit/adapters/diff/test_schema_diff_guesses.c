/* What speaks for a line of the first change list; schemas/guesses.proto has the versions. */
#include "tests/unit/adapters/diff/first_list.h"

typedef struct Loaded {
    Arena *arena;
    const Schema *schema;
} Loaded;

static int load(void **state)
{
    static Loaded loaded;
    loaded.arena = arena_new(ARENA_UNLIMITED);
    assert_ok(loaded.arena,
              schema_load_file(loaded.arena, SCHEMAS "guesses.binpb", &loaded.schema));
    *state = &loaded;
    return 0;
}

static int unload(void **state)
{
    arena_free(((Loaded *)*state)->arena);
    return 0;
}

/* Behind the list's head. */
static void check(void **state, const char *kind, const char *expected)
{
    Loaded *loaded = *state;
    ChangeSide from = {"v1", loaded->schema, arena_printf(loaded->arena, "guesses.%s.Old", kind)};
    ChangeSide to = {"v2", loaded->schema, arena_printf(loaded->arena, "guesses.%s.New", kind)};
    SchemaDiff diff;
    schema_diff(loaded->arena, &from, &to, &diff);
    const char *list = strstr(arena_text(loaded->arena, diff.change_list), "to: v2\n");
    assert_non_null(list);
    assert_bytes(bytes_of(list + strlen("to: v2\n")), expected);
}

static void the_same_number_and_type_speak_for_a_field_where_others_kept_theirs(void **state)
{
    check(state, "Numbers",
          "messages:\n  M:\n"
          "    payload: body  # decide: a guess, the same number and type\n");
    check(state, "Renumbered",
          "messages:\n  M:\n"
          "    owner: {removed: graceful}  # decide: string, lost towards v2\n"
          "    color: {removed: graceful}  # decide: string, lost towards v2\n"
          "    size: {added: graceful}  # decide: string, lost towards v1\n"
          "    place: {added: graceful}  # decide: string, lost towards v1\n");
}

static void the_same_place_in_a_oneof_speaks_for_a_field(void **state)
{
    check(state, "Oneofs",
          "messages:\n"
          "  M:\n"
          "    recursive: full_hierarchy  # decide: a guess, the same number and type\n"
          "    recursion_depth: hierarchy_depth  # decide: a guess, by its name\n");
}

static void the_only_fields_of_a_type_belong_together(void **state)
{
    check(state, "OnlyOne",
          "messages:\n"
          "  M:\n"
          "    items: buckets  # decide: a guess, the only one of its type\n");
}

static void so_do_the_only_maps(void **state)
{
    check(state, "Maps",
          "messages:\n"
          "  M:\n"
          "    metadata: annotations  # decide: a guess, the only one of its type\n");
}

/* Behind the head of the list between two sets. */
static const char *list_between(Loaded *loaded, const char *old, const char *old_package,
                                const char *new_name, const char *new_package)
{
    ChangeSide from = {"v1", NULL, old_package}, to = {"v2", NULL, new_package};
    SchemaDiff diff;
    assert_ok(loaded->arena, schema_load_file(loaded->arena, old, &from.schema));
    assert_ok(loaded->arena, schema_load_file(loaded->arena, new_name, &to.schema));
    schema_diff(loaded->arena, &from, &to, &diff);
    check_first_list(loaded->arena, &from, &to);
    check_first_list(loaded->arena, &to, &from);
    const char *list = strstr(arena_text(loaded->arena, diff.change_list), "to: v2\n");
    assert_non_null(list);
    return list + strlen("to: v2\n");
}

static void types_of_a_package_that_has_versions_too_go_with_their_namesakes(void **state)
{
    const char *list = list_between(*state, SCHEMAS "places_old.binpb", "places.v1",
                                    SCHEMAS "places_new.binpb", "places.v2");
    assert_non_null(strstr(list, "  parts.v1.Area: parts.v2.Area  # guess: by what is in it\n"));
    assert_non_null(strstr(list, "  parts.v1.Grade: parts.v2.Grade  # guess: by what is in it\n"));
    assert_non_null(strstr(list,
                           "  parts.v1.Area:\n"
                           "    size: extent  # decide: a guess, the same number and type\n"));
    assert_non_null(
        strstr(list, "    library: scope  # decide: a guess, the only one of its type\n"));
    assert_non_null(
        strstr(list, "  parts.v1.Grade:\n    HIGH: TALL  # decide: a guess, the same number\n"));
}

static void versions_in_one_package_are_told_apart_by_their_sets(void **state)
{
    assert_bytes(bytes_of(list_between(*state, SCHEMAS "same_old.binpb", "same.v1",
                                       SCHEMAS "same_new.binpb", "same.v1")),
                 "messages:\n"
                 "  Order:\n"
                 "    customer: customer_name  # guess: by its name\n"
                 "    note: {removed: graceful}  # decide: string, lost towards v2\n"
                 "enums:\n"
                 "  Status:\n"
                 "    HELD: {added: loud}  # decide: lost towards v1\n");
}

static void a_mask_beside_no_message_names_fields_of_what_is_answered_or_listed(void **state)
{
    assert_non_null(
        strstr(list_between(*state, SCHEMAS "places_old.binpb", "places.v1",
                            SCHEMAS "places_new.binpb", "places.v2"),
               "    read_mask: {of: Place}  # guess: it names fields of the response\n"));
}

static void what_kept_its_name_and_not_its_meaning_goes_elsewhere(void **state)
{
    check(state, "Reassigned",
          "messages:\n"
          "  M:\n"
          "    target: described  # decide: a guess, the only one of its type\n"
          "    metric_name: metric.name  # guess: by its name\n"
          "    target_value: target.value  # guess: by its name\n"
          "    target.unit: {added: graceful}  # decide: string, lost towards v1\n");
    check(state, "Displaced",
          "messages:\n"
          "  M:\n"
          "    place: [{to: object}, {added: graceful}]  # decide: a guess, the only one of its "
          "type; place of v2 is another field\n");
}

static void methods_of_a_resource_with_another_name_go_with_it(void **state)
{
    const char *list = list_between(*state, SCHEMAS "places_old.binpb", "places.v1",
                                    SCHEMAS "places_new.binpb", "places.v2");
    assert_non_null(strstr(list, "  Job: Schedule  # guess: by what is in it\n"));
    assert_non_null(
        strstr(list, "  EnableJobRequest:\n    id: schedule_id  # guess: by its name\n"));
    assert_bytes(bytes_of(strstr(list, "methods:\n")),
                 "methods:\n"
                 "  Jobs.GetJob: Schedules.GetSchedule  # guess: by its name and types\n"
                 "  Jobs.ListJobs: Schedules.ListSchedules  # guess: by its name and types\n"
                 "  Jobs.EnableJob: Schedules.EnableSchedule  # decide: a guess, by its name\n"
                 "  Jobs.FindV1: Jobs.Find  # guess: by its name and types\n");
}

static void the_whole_name_of_its_message_comes_before_a_field(void **state)
{
    check(state, "FullName",
          "messages:\n"
          "  BookVersion:\n"
          "    id: book_version_id  # guess: by its name\n"
          "    book_id: {added: graceful}  # decide: string, lost towards v1\n");
}

static void a_list_of_messages_becomes_a_map_by_its_key(void **state)
{
    check(state, "Keyed",
          "messages:\n"
          "  M:\n"
          "    labels: {key: key, duplicates: loud}  # guess: by its types\n"
          "    sizes: {key: id, duplicates: loud}  # guess: by its types\n"
          "    others: [{removed: graceful}, {added: graceful}]  # decide: list of Other and map "
          "of string to int32: no converter fits\n");
}

static void messages_with_other_counterparts_are_converted_in_place(void **state)
{
    check(state, "Added",
          "messages:\n"
          "  M:\n"
          "    users: {to: user, by: message}  # guess: by its name\n"
          "  CreateUser to AddUser:\n"
          "    parent: {removed: graceful}  # decide: string, lost towards v2\n");
}

/* The verbs of every resource tell nothing; another verb and the same types do. */
static void methods_are_renamed_by_their_words_and_types(void **state)
{
    assert_bytes(
        bytes_of(list_between(*state, SCHEMAS "resources_old.binpb", "resources.v1",
                              SCHEMAS "resources_new.binpb", "resources.v2")),
        "types:\n"
        "  ConverseRequest: AssistRequest  # decide: a guess, by what is in it\n"
        "  ConverseResponse: AssistResponse  # decide: a guess, by its place\n"
        "  ReadingDesk: ReadingTable  # guess: by what is in it\n"
        "  GetReadingDeskRequest: GetReadingTableRequest  # guess: by what is in it\n"
        "  DeleteReadingDeskRequest: DeleteReadingTableRequest  # guess: by what is in it\n"
        "  ListReadingDesksRequest: ListReadingTablesRequest  # guess: by what is in it\n"
        "  ListReadingDesksResponse: ListReadingTablesResponse  # guess: by what is in it\n"
        "  Repository: Policy.Repository  # guess: by what is in it\n"
        "  ScheduleDeleteBookRequest: DeleteBookRequest  # decide: a guess, by what is in it\n"
        "  IsBookReadableRequest: CheckBookReadabilityRequest  # guess: by what is in it\n"
        "  IsBookReadableResponse: CheckBookReadabilityResponse  # guess: by what is in it\n"
        "  ListPidsRequest: PidsRequest  # decide: a guess, by its place\n"
        "  ListPidsResponse: PidsResponse  # guess: by what is in it\n"
        "  CheckRequest: CheckPermissionRequest  # decide: a guess, by its place\n"
        "  CheckResponse: CheckPermissionResponse  # decide: a guess, by its place\n"
        "  TensorVersion: RuntimeVersion  # decide: a guess, by what is in it\n"
        "  GetTensorVersionRequest: GetRuntimeVersionRequest  # decide: a guess, by its place\n"
        "  ListTensorVersionsRequest: ListRuntimeVersionsRequest  # guess: by what is in it\n"
        "  ListTensorVersionsResponse: ListRuntimeVersionsResponse  # decide: a guess, by its "
        "place\n"
        "messages:\n"
        "  ConverseRequest:\n"
        "    again: {added: graceful}  # decide: bool, lost towards v1\n"
        "  ConverseResponse:\n"
        "    spoken: shown  # decide: a guess, the same number and type\n"
        "    volume: {added: graceful}  # decide: int32, lost towards v1\n"
        "  ListReadingDesksResponse:\n"
        "    reading_desks: reading_tables  # guess: by its name\n"
        "  ScheduleDeleteBookRequest:\n"
        "    force: {added: graceful}  # decide: bool, lost towards v1\n"
        "  CheckRequest:\n"
        "    user: {removed: graceful}  # decide: string, lost towards v2; or did it become "
        "resource?\n"
        "    place: {removed: graceful}  # decide: string, lost towards v2\n"
        "    resource: {added: graceful}  # decide: string, lost towards v1\n"
        "    permission: {added: graceful}  # decide: string, lost towards v1\n"
        "  CheckResponse:\n"
        "    is_member: allowed  # decide: a guess, the same number and type\n"
        "  ListTensorVersionsResponse:\n"
        "    tensor_versions: runtime_versions  # guess: by its name\n"
        "  BookingRequest to CancelRequest:\n"
        "    view: reason  # decide: a guess, the same number and type\n"
        "methods:\n"
        "  Taxes.GetAccountTax: {removed: \"v2 has no such method\"}  # decide: calls of v1 fail; "
        "or did it become Fees.GetAccountFee?\n"
        "  Taxes.UpdateAccountTax: {removed: \"v2 has no such method\"}  # decide: calls of v1 "
        "fail; or did it become Fees.UpdateAccountFee?\n"
        "  Rooms.GetReadingDesk: Rooms.GetReadingTable  # guess: by its name and types\n"
        "  Rooms.ListReadingDesks: Rooms.ListReadingTables  # guess: by its name and types\n"
        "  Rooms.DeleteReadingDesk: Rooms.DeleteReadingTable  # guess: by its name and types\n"
        "  Assistant.Converse: Assistant.Assist  # decide: a guess, by its types\n"
        "  Books.GetBook: Library.GetBook  # guess: by its name\n"
        "  Books.ScheduleDeleteBook: Library.DeleteBook  # guess: by its name and types\n"
        "  Books.IsBookReadable: Library.CheckBookReadability  # guess: by its name and types\n"
        "  Nodes.ListPids: Nodes.Pids  # guess: by its name and types\n"
        "  Nodes.Check: Nodes.CheckPermission  # decide: a guess, by its name\n"
        "  Nodes.ListTensorVersions: Nodes.ListRuntimeVersions  # guess: by its name and types\n"
        "  Nodes.GetTensorVersion: Nodes.GetRuntimeVersion  # guess: by its name and types\n"
        "# unsure: did Wanted become Policy.Wanted?\n");
}

/* The parts of the first list between the two versions of towns. */
static const char *list_of_towns(void **state)
{
    return list_between(*state, SCHEMAS "towns_old.binpb", "towns.v1", SCHEMAS "towns_new.binpb",
                        "towns.v2");
}

static void a_word_that_stands_for_another_everywhere_is_the_same_word(void **state)
{
    const char *list = list_of_towns(state);
    assert_non_null(strstr(list, "  Organization: Tenant  # guess: by what is in it\n"));
    assert_non_null(
        strstr(list, "  Bill:\n    organization_id: tenant_id  # guess: by its name\n"));
    assert_non_null(strstr(list, "  OrganizationService.GetOrganization: TenantService.GetTenant"));
}

static void methods_go_to_other_services(void **state)
{
    assert_non_null(strstr(
        list_of_towns(state),
        "  Desk.CreateBooking: Bookings.Create  # guess: by its name and types\n" /* its noun */
        "  Desk.DropBooking: Bookings.Cancel  # decide: a guess, by its types\n"
        "  Desk.RaiseTicket: Tickets.Report  # decide: a guess, by its types\n" /* its path */
        "  Desk.Wave: {removed: \"v2 has no such method\"}  # decide: calls of v1 fail\n"));
}

static void fields_become_one_and_one_becomes_several(void **state)
{
    const char *list = list_of_towns(state);
    assert_non_null(strstr(
        list, "    endpoint: {template: \"{host}:{port}\", to: [host, port]}  # decide: are these "
              "its parts, with a colon between?\n"
              "    name: {template: \"{first_name} {last_name}\", from: [first_name, last_name]}  "
              "# decide: are these its parts, with a space between?\n"
              "    emails: {from: [primary_email, other_emails], first: loud}  # decide: is it the "
              "one, and then the others?\n"));
    assert_non_null(
        strstr(list, "    name: {template: \"towns/{town_id}/people/{person_id}\", from: [town_id, "
                     "person_id]}  # decide: are these the parts of the name, as in the HTTP "
                     "binding?\n"));
}

static void values_with_the_same_letters_are_the_same(void **state)
{
    assert_non_null(strstr(list_of_towns(state),
                           "    STATE_INFLUXDB: STATE_INFLUX_DB  # guess: by its name\n"
                           "    STATE_MYDEVICES: STATE_MY_DEVICES  # guess: by its name\n"));
}

static void names_are_compared_by_their_words(void **state)
{
    check(state, "Words",
          "messages:\n"
          "  M:\n"
          "    relative_url: relative_uri  # guess: by its name\n"
          "    no_public_ip: disable_public_ip  # guess: by its name\n"
          "    total_billed_time: total_billed_duration  # guess: by its name\n"
          "    image_names: image_name  # guess: by its name\n"
          "    can_forward: enable_forwarding  # guess: by its name\n");
}

static void a_flag_is_never_its_opposite(void **state)
{
    check(state, "Opposites",
          "messages:\n"
          "  M:\n"
          "    enable_proxy_access: {removed: graceful}  # decide: bool, lost towards v2\n"
          "    disable_proxy_access: {added: graceful}  # decide: bool, lost towards v1\n");
}

static void fields_leave_a_message_and_go_into_one(void **state)
{
    check(state, "Hoisted",
          "types:\n"
          "  Try: Attempt  # decide: a guess, by its place\n"
          "messages:\n"
          "  M:\n"
          "    status.attempt_dispatch_count: dispatch_count  # guess: by its name\n"
          "    status.first_attempt_status: first_attempt  # guess: by its name\n");
    check(state, "Deep",
          "messages:\n"
          "  M:\n"
          "    install_driver: setup.driver.enable_driver  # guess: by its name\n"
          "    driver_path: setup.driver.driver_path  # guess: by its name\n"
          "    boot_disk_size: setup.boot_disk.disk_size  # guess: by its name\n"
          "    data_disk_size: {removed: graceful}  # decide: int64, lost towards v2\n");
    check(state, "Reference",
          "messages:\n"
          "  M:\n"
          "    position.stream.name: position_stream  # guess: by its name\n"
          "    position.offset: offset  # guess: by its name\n");
}

static void converters_follow_from_types_and_units(void **state)
{
    check(state, "Converted",
          "messages:\n"
          "  M:\n"
          "    at: {by: date}  # guess: by its types\n"
          "    live: {by: wrapper}  # guess: by its types\n"
          "    created: {by: time_text}  # guess: by its types\n"
          "    md5_hash: {by: base64}  # decide: is the text utf8, base64 or hex?\n"
          "    timeout: {to: timeout_seconds, by: seconds}  # guess: by its name\n"
          "    price_cents: {to: price, by: cents_to_money, currency: XXX}  # decide: which "
          "currency is it, in place of XXX?\n"
          "    delay_ms: {to: delay_seconds, by: scale, divided_by: 1000}  # guess: by its name\n"
          "    enable_separate_channels: {to: channel_mode, by: flag, values: {false: "
          "MODE_UNSPECIFIED, true: SEPARATE_CHANNELS}, others: loud}  # guess: by its name\n"
          "    memory_mb: {removed: graceful}  # decide: int64, lost towards v2\n"
          "    memory: {added: graceful}  # decide: string, lost towards v1\n");
    check(state, "Priced",
          "messages:\n"
          "  M:\n"
          "    price_micros: {to: price, by: micros_to_money, currency: currency}  # guess: by its "
          "name\n");
}

static void values_are_compared_without_what_all_of_them_begin_with(void **state)
{
    check(state, "Values",
          "enums:\n"
          "  Status:\n"
          "    UNKNOWN: STATUS_UNSPECIFIED  # guess: both are zero\n"
          "    OPEN: STATUS_OPEN  # guess: by its name\n"
          "    DONE: STATUS_DONE  # guess: by its name\n"
          "  State:\n"
          "    CREATED: NOT_STARTED  # decide: a guess, the same number\n"
          "  Phase:\n"
          "    PENDING_ACTIVATION: AWAITING_USER_ACTIVATION  # decide: a guess, by its name\n"
          "    PENDING_DELETION: DELETED  # decide: a guess, by its name\n"
          "    STAGED: {added: loud}  # decide: lost towards v1\n");
}

static void types_with_the_same_content_belong_together(void **state)
{
    check(state, "Alike",
          "types:\n"
          "  Settings: ClusterSettings  # decide: a guess, by what is in it\n"
          "  Kind: SizeKind  # decide: a guess, by what is in it\n"
          "messages:\n"
          "  M:\n"
          "    settings: config  # decide: a guess, the only one of its type\n"
          "  Settings:\n"
          "    ha: {added: graceful}  # decide: bool, lost towards v1\n"
          "enums:\n"
          "  Kind:\n"
          "    HUGE: {added: loud}  # decide: lost towards v1\n");
}

static void what_could_go_to_two_places_stays_alone(void **state)
{
    check(state, "Ties",
          "messages:\n"
          "  M:\n"
          "    label: {removed: graceful}  # decide: string, lost towards v2; or did it become "
          "left.label or right.label?\n"
          "    left: {added: graceful}  # decide: Left, lost towards v1\n"
          "    right: {added: graceful}  # decide: Right, lost towards v1\n");
}

static void a_field_goes_into_a_message_that_is_at_both_ends(void **state)
{
    check(state, "Into",
          "messages:\n"
          "  M:\n"
          "    common_name: subject.common_name  # guess: by its name\n"
          "  Subject:\n"
          "    common_name: {added: graceful}  # decide: string, lost towards v1\n");
}

static void all_that_is_lost_is_marked_for_a_decision(void **state)
{
    check(state, "Lost",
          "messages:\n"
          "  M:\n"
          "    gone: {removed: graceful}  # decide: list of int32, lost towards v2\n"
          "    when: {removed: graceful}  # decide: google.protobuf.Timestamp, lost towards v2\n"
          "    extra: {added: graceful}  # decide: Extra, lost towards v1\n"
          "    come: {added: graceful}  # decide: bytes, lost towards v1\n");
}

static void a_word_that_siblings_have_too_tells_nothing(void **state)
{
    check(state, "Siblings",
          "messages:\n"
          "  M:\n"
          "    regex_match: {removed: graceful}  # decide: string, lost towards v2\n"
          "    b: {added: graceful}  # decide: bool, lost towards v1\n"
          "    contains_match: {added: graceful}  # decide: string, lost towards v1\n");
}

/* Where nothing else speaks for it, the mark asks. */
static void the_only_fields_that_are_left_are_asked_about(void **state)
{
    check(state, "Left",
          "messages:\n"
          "  M:\n"
          "    width: {removed: graceful}  # decide: int32, lost towards v2; or did it become "
          "breadth?\n"
          "    breadth: {added: graceful}  # decide: int64, lost towards v1\n");
}

static void a_value_goes_into_the_message_of_its_name_and_comes_out_of_it(void **state)
{
    check(state, "Holders",
          "messages:\n"
          "  M:\n"
          "    account: account.email  # decide: a guess, the only field in it of this type\n"
          "    tunnels: tunnels.uris  # decide: a guess, the first field in it, of this type\n"
          "    disk.source: disk  # decide: a guess, the only field in it of this type\n"
          "    disk.size: {removed: graceful}  # decide: int32, lost towards v2\n"
          "    account.scopes: {added: graceful}  # decide: list of string, lost towards v1\n"
          "    tunnels.ranges: {added: graceful}  # decide: list of string, lost towards v1\n");
}

static void the_values_of_maps_are_converted_and_keys_are_not(void **state)
{
    check(state, "MapValues",
          "messages:\n"
          "  M:\n"
          "    limits: {by: wrapper}  # guess: by its types\n"
          "    shares: {by: text}  # guess: by its types\n"
          "    kept: [{removed: graceful}, {added: graceful}]  # decide: map of string to int32 "
          "and map of int32 to int32: no converter fits\n");
}

static void one_word_names_one_of_two_values_and_not_one_of_many(void **state)
{
    check(state, "Flags",
          "messages:\n"
          "  M:\n"
          "    cancelled: {removed: graceful}  # decide: bool, lost towards v2\n"
          "    local: {to: channel, by: flag, values: {false: ONLINE, true: LOCAL}, others: loud}"
          "  # decide: a guess, by its name\n"
          "    state: {added: graceful}  # decide: State, lost towards v1\n");
}

static void messages_with_another_content_do_not_make_their_holders_alike(void **state)
{
    Loaded *loaded = *state;
    ChangeSide from = {"v1", loaded->schema, "guesses.Specs.Old"};
    ChangeSide to = {"v2", loaded->schema, "guesses.Specs.New"};
    SchemaDiff diff;
    schema_diff(loaded->arena, &from, &to, &diff);
    assert_null(strstr(arena_text(loaded->arena, diff.change_list), "types:"));
}

static void a_name_that_many_messages_have_does_not_leave_one(void **state)
{
    check(state, "Etags",
          "messages:\n"
          "  M:\n"
          "    extra: {removed: graceful}  # decide: Extra, lost towards v2\n"
          "    etag: {added: graceful}  # decide: string, lost towards v1\n");
}

static void what_is_in_one_alternative_does_not_come_with_another(void **state)
{
    check(
        state, "Alternatives",
        "messages:\n"
        "  M:\n"
        "    begin_block: {removed: graceful}  # decide: Begin, lost towards v2; or did it become "
        "finalize_block?\n"
        "    end_block: {removed: graceful}  # decide: End, lost towards v2; or did it become "
        "finalize_block?\n"
        "    finalize_block: {added: graceful}  # decide: Finalize, lost towards v1\n");
}

static void zero_that_said_something_is_asked_about(void **state)
{
    check(state, "Zeros",
          "enums:\n"
          "  Check:\n"
          "    NEW: {removed: loud}  # decide: lost towards v2; or did it become CHECK_UNKNOWN or "
          "CHECK_CHECK?\n"
          "    RECHECK: CHECK_RECHECK  # guess: by its name\n"
          "    CHECK_UNKNOWN: {added: loud}  # decide: lost towards v1\n"
          "    CHECK_CHECK: {added: loud}  # decide: lost towards v1\n"
          "  Mode:\n"
          "    FAST: QUICK  # guess: both are zero\n");
}

static void an_enum_becomes_a_text_of_its_very_name(void **state)
{
    check(state, "Texts",
          "messages:\n"
          "  M:\n"
          "    cause: {by: enum_name}  # guess: by its types\n"
          "    operation_name: {removed: graceful}  # decide: Operation, lost towards v2\n"
          "    operation: {added: graceful}  # decide: string, lost towards v1\n");
}

static void a_number_that_was_given_to_another_field_says_nothing(void **state)
{
    check(state, "Ids",
          "messages:\n"
          "  M:\n"
          "    port_id: {removed: graceful}  # decide: string, lost towards v2; or did it become "
          "client_id?\n"
          "    channel_id: {removed: graceful}  # decide: string, lost towards v2; or did it "
          "become client_id?\n"
          "    client_id: {added: graceful}  # decide: string, lost towards v1\n"
          "  N:\n"
          "    allow: include  # decide: a guess, the same number and type\n"
          "    deny: exclude  # decide: a guess, the same number and type\n");
}

static void a_message_is_renamed_where_its_fields_keep_their_names(void **state)
{
    check(state, "Renamed",
          "types:\n"
          "  State: In  # decide: a guess, by its place\n"
          "  Result: Out  # decide: a guess, by its place\n"
          "messages:\n"
          "  M:\n"
          "    converse_state: dialog_in  # decide: a guess, the only one of its type\n"
          "    result: dialog_out  # decide: a guess, the only one of its type\n"
          "  State:\n"
          "    language: {added: graceful}  # decide: string, lost towards v1\n"
          "    fresh: {added: graceful}  # decide: bool, lost towards v1\n"
          "  Result:\n"
          "    spoken: shown  # decide: a guess, the same number and type\n");
}

static void nothing_moves_in_types_that_only_their_place_makes_counterparts(void **state)
{
    check(state, "Doubtful",
          "types:\n"
          "  Kind: Declared  # decide: a guess, by its place\n"
          "messages:\n"
          "  Kind:\n"
          "    basic: {removed: graceful}  # decide: int32, lost towards v2\n"
          "    abstract: {removed: graceful}  # decide: List, lost towards v2\n"
          "    of: {added: graceful}  # decide: string, lost towards v1\n"
          "    params: {added: graceful}  # decide: list of string, lost towards v1\n");
}

static void the_number_of_a_value_says_something_where_all_have_kept_theirs(void **state)
{
    check(state, "Reused",
          "enums:\n"
          "  Kept:\n"
          "    HELD: BUSY  # decide: a guess, the same number\n"
          "  Given:\n"
          "    LATE: {removed: loud}  # decide: lost towards v2; or did it become NEAR?\n"
          "    LOST: {removed: loud}  # decide: lost towards v2\n"
          "    NEAR: {added: loud}  # decide: lost towards v1\n");
}

static void a_message_goes_into_one_that_has_much_else_in_it(void **state)
{
    check(state, "Inside",
          "messages:\n"
          "  M:\n"
          "    value: value.literal  # decide: a guess, the only field in it of this type\n"
          "    value.place: {added: graceful}  # decide: Place, lost towards v1\n");
}

static const char *const kinds[] = {
    "Recursive", "Alternatives", "Zeros",     "Texts",   "Numbers", "Renumbered", "Oneofs",
    "OnlyOne",   "Words",        "Opposites", "Hoisted", "Deep",    "Reference",  "Converted",
    "Priced",    "Values",       "Alike",     "Ties",    "Into",    "Lost",       "Maps",
    "Siblings",  "Holders",      "MapValues", "Flags",   "Specs",   "Etags",      "Left",
    "Ids",       "Renamed",      "Doubtful",  "Reused",  "Inside",  "Reassigned", "Displaced",
    "Keyed",     "Added",        "FullName",  "OneWord", "Sizes",   "Subject",    "Namesakes",
    "Length",    "Compounds",    "TookName"};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static void one_word_for_another_in_several_messages_is_the_same_word(void **state)
{
    check(state, "OneWord",
          "messages:\n"
          "  A:\n"
          "    labels: annotations  # guess: by its name\n"
          "  B:\n"
          "    labels: annotations  # guess: by its name\n"
          "  C:\n"
          "    labels: annotations  # guess: by its name\n"
          "    hints: {removed: graceful}  # decide: map of string to string, lost towards v2\n"
          "    tips: {added: graceful}  # decide: map of string to string, lost towards v1\n");
}

static void sizes_are_scaled_and_units_are_no_words_for_each_other(void **state)
{
    check(state, "Sizes",
          "messages:\n"
          "  Disk:\n"
          "    size_gib: {to: size_bytes, by: scale, times: 1073741824}  # guess: by its name\n"
          "    cache_kb: {to: cache_bytes, by: scale, times: 1000}  # decide: is it times 1000, or "
          "times 1024?\n"
          "  Memory:\n"
          "    size_gib: {to: size_bytes, by: scale, times: 1073741824}  # guess: by its name\n"
          "  Cache:\n"
          "    size_gib: {to: size_bytes, by: scale, times: 1073741824}  # guess: by its name\n");
}

static void what_a_request_says_of_a_thing_goes_into_the_thing(void **state)
{
    check(state, "Subject",
          "messages:\n"
          "  Book:\n"
          "    cover: {added: graceful}  # decide: Cover, lost towards v1\n"
          "    text: {added: graceful}  # decide: string, lost towards v1\n"
          "    pages: {added: graceful}  # decide: int32, lost towards v1\n"
          "  CreateBookRequest:\n"
          "    name: book.name  # guess: by its name\n"
          "    title: book.title  # guess: by its name\n"
          "    book.cover: {added: graceful}  # decide: Cover, lost towards v1\n"
          "    book.text: {added: graceful}  # decide: string, lost towards v1\n"
          "    book.pages: {added: graceful}  # decide: int32, lost towards v1\n");
}

static void of_two_messages_in_fields_of_one_name_at_most_one_is_told_part_by_part(void **state)
{
    check(state, "Namesakes",
          "messages:\n"
          "  M:\n"
          "    shape: [{removed: graceful}, {added: graceful}]  # decide: Shape and Plan: no "
          "converter fits\n"
          "    code: {removed: graceful}  # decide: string, lost towards v2; or did it become "
          "shape.code?\n");
}

static void a_message_of_nothing_but_a_unit_of_time_becomes_a_duration(void **state)
{
    check(state, "Length",
          "messages:\n"
          "  M:\n"
          "    grace.seconds: {to: grace, by: seconds}  # decide: a guess, the only field in it of "
          "this type\n");
}

static void a_word_may_say_that_it_is_a_text(void **state)
{
    check(state, "Compounds",
          "messages:\n"
          "  M:\n"
          "    version: {removed: graceful}  # decide: string, lost towards v2\n"
          "    plain: plaintext  # decide: a guess, by its name\n"
          "    cipher: ciphertext  # decide: a guess, by its name\n"
          "    uid: {removed: graceful}  # decide: string, lost towards v2\n"
          "    digest: {added: graceful}  # decide: bytes, lost towards v1\n"
          "    key: {added: graceful}  # decide: string, lost towards v1\n");
}

static void what_kept_its_content_is_followed_though_its_name_is_anothers(void **state)
{
    check(state, "TookName",
          "types:\n"
          "  Photo: RawPhoto  # decide: a guess, by what is in it\n"
          "  GetPhotoRequest: GetRawPhotoRequest  # decide: a guess, by its place\n"
          "  DeletePhotoRequest: DeleteRawPhotoRequest  # decide: a guess, by its place\n"
          "  ListPhotosRequest: ListRawPhotosRequest  # decide: a guess, by its place\n"
          "  ListPhotosResponse: ListRawPhotosResponse  # decide: a guess, by its place\n"
          "  Photo.State: RawPhoto.Light  # decide: a guess, by its place\n"
          "messages:\n"
          "  Photo:\n"
          "    id: raw_photo_id  # guess: by its name\n"
          "  GetPhotoRequest:\n"
          "    photo_id: raw_photo_id  # guess: by its name\n"
          "  DeletePhotoRequest:\n"
          "    photo_id: raw_photo_id  # guess: by its name\n"
          "  ListPhotosResponse:\n"
          "    photos: raw_photos  # guess: by its name\n");
}

static ChangeSide side(Loaded *loaded, const char *version, const char *kind, const char *end)
{
    return (ChangeSide){version, loaded->schema,
                        arena_printf(loaded->arena, "guesses.%s.%s", kind, end)};
}

static void a_first_list_is_refused_for_its_marks_and_for_nothing_else(void **state)
{
    Loaded *loaded = *state;
    for (size_t i = 0; i < N_KINDS; i++) {
        ChangeSide from = side(loaded, "v1", kinds[i], "Old"),
                   to = side(loaded, "v2", kinds[i], "New");
        check_first_list(loaded->arena, &from, &to);
        check_first_list(loaded->arena, &to, &from);
    }
}

static void so_is_one_between_versions_that_have_little_in_common(void **state)
{
    Loaded *loaded = *state;
    for (size_t i = 0; i < N_KINDS; i++)
        for (size_t k = 0; k < N_KINDS; k++) {
            ChangeSide from = side(loaded, "v1", kinds[i], "Old"),
                       to = side(loaded, "v2", kinds[k], "New");
            check_first_list(loaded->arena, &from, &to);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_number_and_type_speak_for_a_field_where_others_kept_theirs),
        cmocka_unit_test(the_same_place_in_a_oneof_speaks_for_a_field),
        cmocka_unit_test(the_only_fields_of_a_type_belong_together),
        cmocka_unit_test(so_do_the_only_maps),
        cmocka_unit_test(types_of_a_package_that_has_versions_too_go_with_their_namesakes),
        cmocka_unit_test(versions_in_one_package_are_told_apart_by_their_sets),
        cmocka_unit_test(a_mask_beside_no_message_names_fields_of_what_is_answered_or_listed),
        cmocka_unit_test(what_kept_its_name_and_not_its_meaning_goes_elsewhere),
        cmocka_unit_test(methods_of_a_resource_with_another_name_go_with_it),
        cmocka_unit_test(the_whole_name_of_its_message_comes_before_a_field),
        cmocka_unit_test(a_list_of_messages_becomes_a_map_by_its_key),
        cmocka_unit_test(messages_with_other_counterparts_are_converted_in_place),
        cmocka_unit_test(methods_are_renamed_by_their_words_and_types),
        cmocka_unit_test(a_word_that_stands_for_another_everywhere_is_the_same_word),
        cmocka_unit_test(methods_go_to_other_services),
        cmocka_unit_test(fields_become_one_and_one_becomes_several),
        cmocka_unit_test(values_with_the_same_letters_are_the_same),
        cmocka_unit_test(names_are_compared_by_their_words),
        cmocka_unit_test(a_flag_is_never_its_opposite),
        cmocka_unit_test(fields_leave_a_message_and_go_into_one),
        cmocka_unit_test(converters_follow_from_types_and_units),
        cmocka_unit_test(values_are_compared_without_what_all_of_them_begin_with),
        cmocka_unit_test(types_with_the_same_content_belong_together),
        cmocka_unit_test(what_could_go_to_two_places_stays_alone),
        cmocka_unit_test(a_field_goes_into_a_message_that_is_at_both_ends),
        cmocka_unit_test(all_that_is_lost_is_marked_for_a_decision),
        cmocka_unit_test(a_word_that_siblings_have_too_tells_nothing),
        cmocka_unit_test(the_only_fields_that_are_left_are_asked_about),
        cmocka_unit_test(a_value_goes_into_the_message_of_its_name_and_comes_out_of_it),
        cmocka_unit_test(the_values_of_maps_are_converted_and_keys_are_not),
        cmocka_unit_test(one_word_names_one_of_two_values_and_not_one_of_many),
        cmocka_unit_test(messages_with_another_content_do_not_make_their_holders_alike),
        cmocka_unit_test(a_name_that_many_messages_have_does_not_leave_one),
        cmocka_unit_test(what_is_in_one_alternative_does_not_come_with_another),
        cmocka_unit_test(zero_that_said_something_is_asked_about),
        cmocka_unit_test(an_enum_becomes_a_text_of_its_very_name),
        cmocka_unit_test(a_number_that_was_given_to_another_field_says_nothing),
        cmocka_unit_test(a_message_is_renamed_where_its_fields_keep_their_names),
        cmocka_unit_test(nothing_moves_in_types_that_only_their_place_makes_counterparts),
        cmocka_unit_test(the_number_of_a_value_says_something_where_all_have_kept_theirs),
        cmocka_unit_test(a_message_goes_into_one_that_has_much_else_in_it),
        cmocka_unit_test(one_word_for_another_in_several_messages_is_the_same_word),
        cmocka_unit_test(sizes_are_scaled_and_units_are_no_words_for_each_other),
        cmocka_unit_test(what_a_request_says_of_a_thing_goes_into_the_thing),
        cmocka_unit_test(of_two_messages_in_fields_of_one_name_at_most_one_is_told_part_by_part),
        cmocka_unit_test(a_message_of_nothing_but_a_unit_of_time_becomes_a_duration),
        cmocka_unit_test(a_word_may_say_that_it_is_a_text),
        cmocka_unit_test(what_kept_its_content_is_followed_though_its_name_is_anothers),
        cmocka_unit_test(a_first_list_is_refused_for_its_marks_and_for_nothing_else),
        cmocka_unit_test(so_is_one_between_versions_that_have_little_in_common),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
