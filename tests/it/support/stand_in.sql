-- What `vinzy migrate --distribute` asks of Citus, on one PostgreSQL: notes what is distributed, and refuses what Citus
-- refuses of tables and triggers. Rows stay where they are.

CREATE TABLE pg_dist_partition (logicalrelid regclass PRIMARY KEY, partmethod "char" NOT NULL, partkey text);
CREATE TABLE pg_dist_node (nodeid integer PRIMARY KEY, shouldhaveshards boolean NOT NULL);
INSERT INTO pg_dist_node VALUES (1, true), (2, true), (3, false);
CREATE TABLE cleared (table_name regclass PRIMARY KEY);
CREATE TABLE carried (function_name text PRIMARY KEY);

CREATE FUNCTION column_to_column_name(table_name regclass, partkey text) RETURNS text LANGUAGE sql AS 'SELECT $2';

CREATE FUNCTION refuse_what_is_attached(table_name regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_dist_partition p WHERE p.logicalrelid = table_name) THEN
        RAISE EXCEPTION 'table % is already distributed', table_name;
    END IF;
    IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = table_name AND NOT tgisinternal) THEN
        RAISE EXCEPTION 'cannot distribute relation % because it has triggers', table_name;
    END IF;
    IF EXISTS (SELECT FROM pg_constraint
               WHERE contype = 'f' AND (conrelid = table_name OR confrelid = table_name)) THEN
        RAISE EXCEPTION 'relation % is involved in a foreign key', table_name;
    END IF;
    IF current_setting('citus.multi_shard_modify_mode', true) IS DISTINCT FROM 'sequential' THEN
        RAISE EXCEPTION 'cannot distribute relations and copies in one transaction in parallel';
    END IF;
END
$$;

CREATE FUNCTION create_distributed_table(table_name regclass, distribution_column text,
                                         colocate_with text DEFAULT 'default') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse_what_is_attached(table_name);
    IF EXISTS (SELECT FROM pg_index i
               WHERE i.indrelid = table_name AND i.indisunique
                 AND NOT EXISTS (SELECT FROM pg_attribute a
                                 WHERE a.attrelid = table_name AND a.attname = distribution_column
                                   AND a.attnum = ANY(i.indkey[0:i.indnkeyatts - 1]))) THEN
        RAISE EXCEPTION 'cannot create constraint on %: it must contain column %', table_name, distribution_column;
    END IF;
    IF colocate_with NOT IN ('default', 'none')
       AND NOT EXISTS (SELECT FROM pg_dist_partition p WHERE p.logicalrelid = to_regclass(colocate_with)) THEN
        RAISE EXCEPTION 'relation % is not distributed', colocate_with;
    END IF;
    INSERT INTO pg_dist_partition VALUES (table_name, 'h', distribution_column);
END
$$;

CREATE FUNCTION create_reference_table(table_name regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse_what_is_attached(table_name);
    INSERT INTO pg_dist_partition VALUES (table_name, 'n', NULL);
END
$$;

CREATE FUNCTION truncate_local_data_after_distributing_table(table_name regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_dist_partition p WHERE p.logicalrelid = table_name) THEN
        RAISE EXCEPTION 'relation % is not distributed', table_name;
    END IF;
    IF NOT has_table_privilege(table_name, 'TRUNCATE') THEN
        RAISE EXCEPTION 'permission denied for table %', table_name;
    END IF;
    INSERT INTO cleared VALUES (table_name);
END
$$;

CREATE FUNCTION create_distributed_function(function_name regprocedure) RETURNS void LANGUAGE sql AS
    'INSERT INTO carried VALUES (function_name::text) ON CONFLICT DO NOTHING';

-- A table that is gone is distributed no more, and a trigger is made only where somebody answers for it.
CREATE FUNCTION watch_commands() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_EVENT = 'sql_drop' THEN
        DELETE FROM public.pg_dist_partition p WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.logicalrelid);
    ELSIF TG_TAG = 'CREATE TRIGGER' AND current_setting('citus.enable_unsafe_triggers', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'triggers are not supported on distributed tables';
    END IF;
END
$$;
CREATE EVENT TRIGGER watch_drops ON sql_drop EXECUTE FUNCTION watch_commands();
CREATE EVENT TRIGGER watch_triggers ON ddl_command_end EXECUTE FUNCTION watch_commands();

-- Citus does not take an INSERT within WITH to one server.
CREATE FUNCTION refuse_inserts_within_with() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_query() ~* '^\s*WITH' THEN
        RAISE EXCEPTION 'data-modifying statements are not supported in the WITH clauses of distributed queries';
    END IF;
    RETURN NULL;
END
$$;
