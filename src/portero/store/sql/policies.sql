-- Who may do what to which rows: the whole of it, in one place.
--
-- `portero migrate` applies this file whenever it has changed, and it replaces whatever grants and
-- policies were there. A table that is not listed here is open to nobody, and tests/migrations
-- compares the catalogue with this list.
--
-- Each table is a transaction of its own, while older processes serve: a table changes from the old
-- rules to the new ones at once, and who locks one at a time waits for nobody who waits for them.
--
--   portero_app      one workspace, set by the first statement of its transaction
--   portero_gateway  finds a key, a policy head, an account or a Meta app in every workspace,
--                    because whose they are is not known before (a request brings the key, Meta's
--                    post the account, Meta's handshake the verify token of an app); lists the
--                    workspaces themselves, to close the open calls of a dead process in all of
--                    them; reads and writes everything else only in those its transaction lists
--   portero_log      the sequencer: reads records and numbers them, in every workspace
--
-- Nobody gets TRUNCATE or REFERENCES: row-level security stops neither.

DO $$
DECLARE
    one record;
    in_workspace constant text :=
        '%I = nullif(current_setting(''portero.workspace'', true), '''')::uuid';
    -- The inner SELECT makes the list once for a statement, not once for a row.
    in_list constant text :=
        '%I = ANY ((SELECT string_to_array(nullif(current_setting(''portero.workspaces'', true), ''''), '','')::uuid[])::uuid[])';
    me constant text := 'nullif(current_setting(''portero.person'', true), '''')::uuid';
BEGIN
    FOR one IN SELECT c.relname AS tab, c.relispartition AS is_partition, permitted.app, permitted.gateway,
                      permitted.gateway_reads, permitted.log
                 FROM pg_class c LEFT JOIN (VALUES
        -- table                 app                                         gateway                           gateway reads  log
        -- of no workspace
        ('person', 'SELECT, INSERT, UPDATE (email, name, password, last_login, language, spoken, theme)', '', 'none', NULL),
        ('session',             'SELECT, INSERT, UPDATE, DELETE',           '',                                'none',       NULL),
        ('mfa_authenticator',   'SELECT, INSERT, UPDATE, DELETE',           '',                                'none',       NULL),
        ('account_emailaddress', 'SELECT, INSERT, UPDATE, DELETE',          '',                                'none',       NULL),
        ('console_cache',       'SELECT, INSERT, UPDATE, DELETE',           '',                                'none',       NULL),
        ('sign_in_budget',      'SELECT, INSERT, UPDATE, DELETE',           '',                                'none',       NULL),
        ('sign_in_link',        'SELECT, INSERT, UPDATE (used_at)',         '',                                'none',       NULL),
        ('sign_in_change',      'SELECT, INSERT, UPDATE (undone_at), DELETE', '',                              'none',       NULL),
        ('gateway_process',     'SELECT',                                   'SELECT, INSERT, UPDATE, DELETE',  'none',       NULL),
        -- jobs: ids and names, no secret, and what is done is deleted
        ('procrastinate_jobs',  'SELECT, INSERT, UPDATE, DELETE',           '',                                'none',       NULL),
        ('procrastinate_events', 'SELECT, INSERT, UPDATE, DELETE',          '',                                'none',       NULL),
        ('procrastinate_periodic_defers', 'SELECT, INSERT, UPDATE, DELETE', '',                                'none',       NULL),
        ('procrastinate_workers', 'SELECT, INSERT, UPDATE, DELETE',         '',                                'none',       NULL),
        -- a workspace's
        ('workspace',           'SELECT, INSERT, UPDATE (name, timezone, suspended)', 'SELECT',                'every',       'SELECT'),
        -- what decides
        ('principal',           'SELECT, INSERT, UPDATE (name, active, owner, accountable_id, alone_since, person_id, invited, signed_out_at, seen_at)', 'SELECT', 'listed', NULL),
        ('team_member',         'SELECT, INSERT, DELETE',                   'SELECT',                          'listed',       NULL),
        ('role',                'SELECT, INSERT, UPDATE (name)',            'SELECT',                          'listed',       NULL),
        ('role_version',        'SELECT, INSERT, UPDATE (valid_to)',        'SELECT',                          'listed',       NULL),
        ('binding',             'SELECT, INSERT, UPDATE (valid_to)',        'SELECT',                          'listed',       NULL),
        ('guardrail',           'SELECT, INSERT, UPDATE (valid_to)',        'SELECT',                          'listed',       NULL),
        ('usage_limit',         'SELECT, INSERT, UPDATE (valid_to)',        'SELECT',                          'listed',       NULL),
        ('access_request',      'SELECT, INSERT, UPDATE (state, decided_at, decided_by, answer, binding_id)', 'SELECT', 'listed',   NULL),
        ('stream_ticket',       'SELECT, INSERT, DELETE',                   '',                                'listed',       NULL),
        ('policy_head',         'SELECT, INSERT, UPDATE (version, xid, changed_at, people)', 'SELECT, UPDATE (version, xid, changed_at)', 'every',       NULL),
        ('api_key',             'SELECT, INSERT, UPDATE (name, revoked_at, disabled_reason, expires_at)', 'SELECT, UPDATE (last_used_at, revoked_at)', 'every', NULL),
        -- secrets: written by the app, read by the gateway
        ('credential',          'INSERT',                                   'SELECT',                          'listed',       NULL),
        ('meta_app',            'INSERT',                                   'SELECT',                          'every',       NULL),
        ('workspace_key',       'SELECT, INSERT, UPDATE (retired_at)',      'SELECT',                          'listed',       NULL),
        -- what of Meta's belongs to the workspace
        ('waba',                'SELECT, INSERT, UPDATE (name)',            'SELECT',                          'every',       NULL),
        ('number',              'SELECT, INSERT, UPDATE (display, name)',   'SELECT',                          'listed',       NULL),
        ('template_set',        'SELECT, INSERT, UPDATE (name)',            'SELECT',                          'listed',       NULL),
        ('template_set_member', 'SELECT, INSERT, DELETE',                   'SELECT',                          'listed',       NULL),
        ('resource',            'SELECT, INSERT, UPDATE, DELETE',           'SELECT, INSERT, UPDATE, DELETE',  'listed',       NULL),
        -- customers
        ('contact',             'SELECT, INSERT',                           'SELECT, INSERT',                  'listed',      NULL),
        ('contact_identity',    'SELECT, INSERT',                           'SELECT, INSERT, UPDATE (contact_id)', 'listed',  NULL),
        -- the log
        ('record',              'SELECT, INSERT',                           'SELECT, INSERT',                  'listed',      'SELECT'),
        ('record_open',         'SELECT, INSERT',                           'SELECT, INSERT',                  'listed',      NULL),
        ('record_leaf',         'SELECT',                                   'SELECT',                          'listed',      'SELECT, INSERT'),
        ('outbox',              'SELECT, INSERT',                           'INSERT',                          'listed',      NULL),
        -- what the gateway counts and remembers
        ('idempotency',         'SELECT',                                   'SELECT, INSERT, UPDATE, DELETE',  'listed',      NULL),
        ('limit_use',           'SELECT',                                   'SELECT, INSERT, UPDATE (used)',   'listed',      NULL),
        ('limit_recipient',     'SELECT',                                   'SELECT, INSERT',                  'listed',      NULL),
        ('limit_slice',         'SELECT',                                   'SELECT, INSERT, UPDATE (grants, amounts)', 'listed', NULL),
        ('webhook_event',       'SELECT',                                   'SELECT, INSERT, UPDATE (processed_at, tries)', 'listed', NULL)
    ) AS permitted (tab, app, gateway, gateway_reads, log) ON permitted.tab = c.relname::text
                WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                ORDER BY c.relname
    LOOP
        DECLARE
            key constant text := CASE one.tab WHEN 'workspace' THEN 'id' ELSE 'workspace_id' END;
            mine constant text := format(in_workspace, key);
            listed constant text := format(in_list, key);
            policy name;
        BEGIN
            EXECUTE format('REVOKE ALL ON %I FROM PUBLIC, portero_app, portero_gateway, portero_log', one.tab);
            FOR policy IN SELECT policyname FROM pg_policies WHERE schemaname = 'public' AND tablename = one.tab LOOP
                EXECUTE format('DROP POLICY %I ON %I', policy, one.tab);
            END LOOP;

            IF one.app IS NOT NULL THEN
                EXECUTE format('GRANT %s ON %I TO portero_app', one.app, one.tab);
            END IF;
            IF one.gateway <> '' THEN
                EXECUTE format('GRANT %s ON %I TO portero_gateway', one.gateway, one.tab);
            END IF;
            IF one.log IS NOT NULL THEN
                EXECUTE format('GRANT %s ON %I TO portero_log', one.log, one.tab);
            END IF;

            -- Partitions are reached through their parent only: no grants, no policies, so no rows.
            IF one.is_partition OR one.gateway_reads <> 'none' THEN
                EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', one.tab);
                EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', one.tab);
            END IF;
            IF one.gateway_reads <> 'none' THEN
                EXECUTE format('CREATE POLICY app ON %I TO portero_app USING (%s) WITH CHECK (%s)', one.tab, mine, mine);
                IF one.gateway <> '' THEN
                    EXECUTE format('CREATE POLICY gateway ON %I TO portero_gateway USING (%s) WITH CHECK (%s)', one.tab, listed, listed);
                END IF;
                IF one.gateway_reads = 'every' THEN
                    EXECUTE format('CREATE POLICY gateway_reads ON %I FOR SELECT TO portero_gateway USING (true)', one.tab);
                END IF;
                IF one.log IS NOT NULL THEN
                    EXECUTE format('CREATE POLICY log ON %I TO portero_log USING (true) WITH CHECK (true)', one.tab);
                END IF;
            END IF;

            -- Before somebody is in a workspace: where they are a member, and what those places are called.
            IF one.tab = 'principal' THEN
                EXECUTE format('CREATE POLICY own_memberships ON principal FOR SELECT TO portero_app'
                    ' USING (person_id = %s)', me);
            ELSIF one.tab = 'workspace' THEN
                EXECUTE format('CREATE POLICY own_memberships ON workspace FOR SELECT TO portero_app'
                    ' USING (id IN (SELECT workspace_id FROM principal WHERE person_id = %s))', me);
            END IF;
            COMMIT;
        END;
    END LOOP;

    REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC, portero_app, portero_gateway, portero_log;
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO portero_app;
    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC, portero_app, portero_gateway, portero_log;
    FOR one IN SELECT p.oid::regprocedure AS name FROM pg_proc p
                WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'procrastinate%' LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO portero_app', one.name);
    END LOOP;
    GRANT EXECUTE ON FUNCTION create_record_partitions(integer) TO portero_log;
END
$$;
