<?php
/**
 * Plugin Name: Homeward: user events
 * Description: Tells Homeward, by signed webhook, which users this site has created, changed or deleted.
 *
 * Wants in wp-config.php:
 *
 *     define( 'HOMEWARD_URL', 'https://homeward.example.com/hooks/wordpress' );
 *     define( 'HOMEWARD_SECRET', 'whsec_…' );       // whsec_ and the base64 of 24 random bytes or more
 *     define( 'HOMEWARD_META', [ 'employee_id' ] ); // optional: the meta keys that an event carries
 *
 * A request notes the users it touches. When it ends, every one of them becomes one event with its final state. An
 * event is a row of its own in the options table until Homeward has taken it or has refused it for good; what cannot
 * be sent at once is sent later by WP-Cron. A request that touches no user costs no query.
 *
 * For WordPress 6.1 and newer, PHP 7.4 and newer, single sites.
 */

namespace Homeward;

if ( ! defined( 'ABSPATH' ) || ! defined( 'HOMEWARD_URL' ) || ! defined( 'HOMEWARD_SECRET' ) || wp_installing() ) {
	return;
}

/** What happens to users during one request. */
final class Witness {
	/** The columns whose old values an event tells as `previous`, by their names on the wire. */
	private const TOLD = [ 'username' => 'user_login', 'email' => 'user_email', 'slug' => 'user_nicename', 'name' => 'display_name' ];

	private const META = [ 'first_name', 'last_name', 'nickname', 'employee_id', 'department', 'job_title', 'office', 'manager_employee_id', 'start_date' ];

	/** A statement that cannot be read makes us look at everybody, on a site of up to so many users. */
	private const EVERYBODY = 5000;

	/** By user id: what spoke of the user (`sources`), whether it is new (`created`), the old row (`before`), the last state (`last`). */
	private static array $noted = [];

	/** All rows by user id, as they were before the first statement that could not be read. */
	private static array $everybody = [];

	/** Set while we ask the database ourselves. */
	private static bool $asking = false;

	public static function listen(): void {
		add_action( 'user_register', fn( $id ) => self::note( $id, 'user_register', [ 'created' => true ] ) );
		// Other plugins fire this one as well, and not all of them say what was before.
		$before = fn( $old ) => isset( $old->user_login ) ? [ 'before' => self::told( $old ) ] : [];
		add_action( 'profile_update', fn( $id, $old = null ) => self::note( $id, 'profile_update', $before( $old ) ), 10, 2 );
		foreach ( [ 'delete_user', 'wpmu_delete_user' ] as $hook ) {
			add_action( $hook, fn( $id ) => self::note( $id, $hook, [ 'last' => self::state( (int) $id ) ] ) );
		}
		foreach ( [ 'set_user_role', 'add_user_role', 'remove_user_role' ] as $hook ) {
			add_action( $hook, fn( $id ) => self::note( $id, $hook ) );
		}
		foreach ( [ 'added_user_meta', 'updated_user_meta', 'deleted_user_meta' ] as $hook ) {
			$note = fn( $meta, $id, $key = '' ) => in_array( $key, self::meta_keys(), true ) && self::note( $id, "$hook:$key" );
			add_action( $hook, $note, 10, 3 );
		}
		add_filter( 'query', [ self::class, 'read_statement' ] );
		add_action( 'shutdown', [ self::class, 'testify' ], PHP_INT_MAX );
	}

	/** Keeps what the first of several hooks knew: only that one saw how it was before. */
	private static function note( $id, string $source, array $facts = [] ): bool {
		$noted              = self::$noted[ (int) $id ] ?? [ 'sources' => [] ];
		$noted['sources'][] = $source;

		self::$noted[ (int) $id ] = $noted + $facts;
		return true;
	}

	/**
	 * Plugins that rename users write the table themselves, and core fires nothing. So look at every statement before it
	 * runs. No piece of it is put into another statement unquoted: what users type stands in it, the word WHERE as well.
	 */
	public static function read_statement( $statement ) {
		global $wpdb;
		$table = preg_quote( $wpdb->users, '/' );
		if ( self::$asking || ! is_string( $statement ) || ! preg_match( "/^\s*(UPDATE|DELETE)\s[^'\"]*\b$table\b/i", $statement, $verb ) ) {
			return $statement;
		}
		$equals  = "`?\s*=\s*(?:'([^'\\\\]*)'|(\d+))";
		$more    = "(?:\s+AND\s+`?\w+`?\s*=\s*(?:'[^'\\\\]*'|\d+))*"; // Narrows it down; whom it leaves out has not changed.
		$where   = "/\sWHERE\s+`?(ID|user_login|user_email|user_nicename)$equals$more\s*(?:LIMIT\s+1)?[\s;]*$/i";
		$simple  = preg_match( $where, $statement, $of );
		$sets    = $simple ? substr( $statement, 0, -strlen( $of[0] ) ) : $statement;
		$deletes = 'DELETE' === strtoupper( $verb[1] );
		if ( $deletes ? ! $simple : ! preg_match( '/\b(user_login|user_email|user_nicename|display_name)`?\s*=/i', $sets ) ) {
			return $statement; // A new password, say, or a clearing out whose victims cannot be told from here.
		}
		self::$asking = true;
		if ( $simple ) {
			$rows = $wpdb->get_results( $wpdb->prepare( "SELECT * FROM {$wpdb->users} WHERE {$of[1]} = %s LIMIT %d", end( $of ), self::EVERYBODY ) );
			foreach ( $rows as $row ) {
				self::note( $row->ID, 'sql', $deletes ? [ 'last' => self::state( (int) $row->ID ) ] : [ 'before' => self::$everybody[ (int) $row->ID ] ?? self::told( $row ) ] );
			}
		} elseif ( ! self::$everybody ) {
			self::$everybody = self::everybody();
		}
		self::$asking = false;
		return $statement;
	}

	/** The end of the request: what was noted becomes events. */
	public static function testify(): void {
		foreach ( self::$everybody ? self::everybody() : [] as $id => $row ) {
			if ( isset( self::$everybody[ $id ] ) && $row !== self::$everybody[ $id ] ) {
				self::note( $id, 'sql', [ 'before' => self::$everybody[ $id ] ] );
			}
		}
		$events = [];
		foreach ( self::$noted as $id => $noted ) {
			$event = self::event( $id, $noted );
			if ( $event ) {
				$events[] = $event;
			}
		}
		self::$noted     = [];
		self::$everybody = [];
		if ( $events ) {
			Outbox::keep( $events );
			foreach ( [ 'fastcgi_finish_request', 'litespeed_finish_request' ] as $let_the_visitor_go ) {
				if ( function_exists( $let_the_visitor_go ) ) {
					$let_the_visitor_go();
				}
			}
			ignore_user_abort( true );
			Outbox::deliver();
		}
	}

	private static function event( int $id, array $noted ): ?array {
		$now      = self::state( $id );
		$created  = isset( $noted['created'] );
		$before   = $now && ! $created ? $noted['before'] ?? [] : [];
		$previous = array_diff_assoc( $before, array_intersect_key( $now ?? [], $before ) );
		$sources  = array_values( array_unique( $noted['sources'] ) );
		if ( ! $now && ( $created || ! isset( $noted['last'] ) ) ) {
			return null; // Came and went within one request, or was never there.
		}
		if ( $now && ! $previous && [ 'sql' ] === $sources ) {
			return null; // A statement that changed nothing.
		}
		$actor = wp_get_current_user();
		return [
			'id'          => 'evt_' . bin2hex( random_bytes( 16 ) ),
			'type'        => $now ? ( $created ? 'user.created' : 'user.updated' ) : 'user.deleted',
			'occurred_at' => gmdate( 'Y-m-d\TH:i:s\Z' ),
			'site'        => home_url( '/' ),
			'actor'       => $actor->ID ? [ 'id' => $actor->ID, 'username' => $actor->user_login ] : null,
			'user_id'     => $id,
			'user'        => $now ?? $noted['last'],
			'previous'    => (object) $previous,
			'sources'     => $sources,
		];
	}

	/** The user as an event shows it, or null where there is none. What is not named here stays on the site: passwords above all. */
	private static function state( int $id ): ?array {
		clean_user_cache( $id ); // Whoever writes the table directly leaves the old user there, for REST as well.
		$user = get_userdata( $id );
		if ( ! $user || ( is_multisite() && ! is_user_member_of_blog( $id ) ) ) {
			return null;
		}
		$meta = [];
		foreach ( self::meta_keys() as $key ) {
			$value        = get_user_meta( $id, $key, true );
			$meta[ $key ] = is_scalar( $value ) ? (string) $value : '';
		}
		return [ 'id' => $id ] + self::told( $user->data ) + [
			'url'             => $user->user_url,
			'roles'           => array_values( $user->roles ),
			'registered_date' => gmdate( 'c', strtotime( $user->user_registered . ' UTC' ) ),
			'meta'            => (object) $meta,
		];
	}

	private static function told( object $row ): array {
		return array_map( fn( $column ) => (string) $row->$column, self::TOLD );
	}

	private static function everybody(): array {
		global $wpdb;
		$asking       = self::$asking;
		self::$asking = true;
		$rows         = $wpdb->get_results( $wpdb->prepare( "SELECT * FROM {$wpdb->users} ORDER BY ID LIMIT %d", self::EVERYBODY + 1 ) );
		self::$asking = $asking;
		if ( count( $rows ) > self::EVERYBODY ) {
			complain( 'a plugin wrote the table of users in a way that does not show whom it changed; only the next poll will' );
			return [];
		}
		return array_map( [ self::class, 'told' ], array_column( $rows, null, 'ID' ) );
	}

	private static function meta_keys(): array {
		$keys = defined( 'HOMEWARD_META' ) ? (array) HOMEWARD_META : self::META;
		return array_filter( $keys, fn( $key ) => 'session_tokens' !== $key && ! is_protected_meta( $key, 'user' ) );
	}
}

/** Events on their way. They are sent one at a time, in the order in which their rows were made. */
final class Outbox {
	private const EVENT = 'homeward_event_';

	/** Names the row with the moment before which nobody sends: a lease while somebody does, a pause after a failure. */
	private const NOT_BEFORE = 'homeward_not_before';

	private const LATER  = 'homeward_deliver_later';
	private const HOURLY = 'homeward_deliver_hourly';

	/** Events that may wait. Those beyond are left to the poll. */
	private const ROOM = 2000;

	private const GIVE_UP_AFTER = 3 * DAY_IN_SECONDS;

	/** Times that an event may be refused with something like 500 before it is taken for the culprit. */
	private const TRIES = 8;

	/** Seconds: for one answer, for one round of sending, and after which a round counts as dead. */
	private const TIMEOUT = 5;
	private const ROUND   = 20;
	private const LEASE   = 60;

	/** Answers that speak of the door and not of the letter: nobody there (0), moved, not let in, too many, out of order. */
	private const DOOR = [ 0, 301, 302, 303, 307, 308, 401, 403, 404, 407, 408, 425, 429, 502, 503, 504 ];

	public static function open(): void {
		add_action( self::LATER, [ self::class, 'deliver' ] );
		add_action( self::HOURLY, [ self::class, 'deliver' ] );
		// WordPress can lose a scheduled event when two requests schedule at once. This one finds what was forgotten.
		add_action( 'init', fn() => wp_next_scheduled( self::HOURLY ) || wp_schedule_event( time() + HOUR_IN_SECONDS, 'hourly', self::HOURLY ) );
	}

	public static function keep( array $events ): void {
		global $wpdb;
		$waiting = (int) $wpdb->get_var( $wpdb->prepare( "SELECT COUNT(*) FROM {$wpdb->options} WHERE option_name LIKE %s", self::pattern() ) );
		$room    = max( 0, self::ROOM - $waiting );
		if ( count( $events ) > $room ) {
			complain( sprintf( '%d events wait already; %d more are left to the poll', $waiting, count( $events ) - $room ) );
		}
		foreach ( array_slice( $events, 0, $room ) as $event ) {
			// ASCII only, so that it fits a table of any character set, and what is kept is what is signed.
			$body = wp_json_encode( $event, JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE );
			add_option( self::EVENT . $event['id'], [ 'id' => $event['id'], 'body' => $body, 'since' => time(), 'tries' => 0 ], '', false );
		}
	}

	/** Sends what waits, unless somebody else does or a pause lasts. */
	public static function deliver(): void {
		$until = microtime( true ) + self::ROUND;
		do {
			$lease = self::take_lease();
			if ( ! $lease ) {
				return;
			}
			$wait = self::send_all( $until );
			self::end_lease( $lease, $wait );
		} while ( ! $wait && self::first() ); // Whoever came while we had the lease has gone and relies on us.
		if ( $wait ) {
			wp_clear_scheduled_hook( self::LATER );
			wp_schedule_single_event( time() + $wait, self::LATER );
		}
	}

	/** Returns 0 when nothing waits any more, else the seconds to wait. */
	private static function send_all( float $until ): int {
		while ( $row = self::first() ) {
			if ( microtime( true ) > $until ) {
				return 1;
			}
			$letter              = maybe_unserialize( $row->option_value );
			$age                 = time() - $letter['since'];
			[ $status, $asked ]  = self::send( $letter['id'], $letter['body'] );
			$door                = in_array( $status, self::DOOR, true );
			$letter['tries']    += $door ? 0 : 1;
			if ( $status < 200 || $status > 299 ) {
				$hopeless = ! $door && ( $status < 500 || $letter['tries'] >= self::TRIES );
				if ( ! $hopeless && $age < self::GIVE_UP_AFTER ) {
					$wait = max( 60, min( 900, max( $asked, intdiv( $age, 2 ) ) ) );
					complain( sprintf( 'event %s was answered with %d; the next try is in %d seconds', $letter['id'], $status, $wait ) );
					update_option( $row->option_name, $letter, false );
					return $wait;
				}
				complain( sprintf( 'event %s was answered with %d, and is given up', $letter['id'], $status ) );
			}
			if ( ! delete_option( $row->option_name ) ) {
				return 60;
			}
		}
		return 0;
	}

	/** Returns the status of the answer, 0 where there was none, and the seconds after which we may come again. */
	private static function send( string $id, string $body ): array {
		$key = (string) base64_decode( preg_replace( '/^whsec_/', '', HOMEWARD_SECRET ), true );
		if ( strlen( $key ) < 16 ) {
			complain( 'HOMEWARD_SECRET is not whsec_ and the base64 of 24 random bytes or more; nothing is sent' );
			return [ 0, 0 ];
		}
		$now    = (string) time();
		$answer = wp_remote_post(
			HOMEWARD_URL,
			[
				'timeout'             => self::TIMEOUT,
				'redirection'         => 0,
				'limit_response_size' => 1024,
				'body'                => $body,
				'headers'             => [
					'Content-Type'      => 'application/json',
					'webhook-id'        => $id,
					'webhook-timestamp' => $now,
					'webhook-signature' => 'v1,' . base64_encode( hash_hmac( 'sha256', "$id.$now.$body", $key, true ) ),
				],
			]
		);
		return [ (int) wp_remote_retrieve_response_code( $answer ), (int) wp_remote_retrieve_header( $answer, 'retry-after' ) ];
	}

	/** Read past the object cache, which another server may fill differently. */
	private static function first(): ?object {
		global $wpdb;
		return $wpdb->get_row( $wpdb->prepare( "SELECT option_name, option_value FROM {$wpdb->options} WHERE option_name LIKE %s ORDER BY option_id LIMIT 1", self::pattern() ) );
	}

	private static function pattern(): string {
		global $wpdb;
		return $wpdb->esc_like( self::EVENT ) . '%';
	}

	/** One statement decides who may send. Ten digits of seconds come first, so that texts compare as times. */
	private static function take_lease(): string {
		global $wpdb;
		$lease = ( time() + self::LEASE ) . bin2hex( random_bytes( 8 ) );
		$wpdb->query( $wpdb->prepare( "INSERT IGNORE INTO {$wpdb->options} (option_name, option_value, autoload) VALUES (%s, '0', 'no')", self::NOT_BEFORE ) );
		$taken = $wpdb->query( $wpdb->prepare( "UPDATE {$wpdb->options} SET option_value = %s WHERE option_name = %s AND option_value < %s", $lease, self::NOT_BEFORE, (string) time() ) );
		return 1 === $taken ? $lease : '';
	}

	private static function end_lease( string $lease, int $wait ): void {
		global $wpdb;
		$wpdb->update( $wpdb->options, [ 'option_value' => $wait ? time() + $wait : 0 ], [ 'option_name' => self::NOT_BEFORE, 'option_value' => $lease ] );
	}
}

/** Never with a name or an address in it. */
function complain( string $what ): void {
	error_log( "Homeward: $what" );
}

Witness::listen();
Outbox::open();
