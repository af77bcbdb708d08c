<?php
/**
 * Tries the plugins on a real WordPress: `php try.php FOLDER`, where FOLDER holds an installed single site that may be
 * played with: users come and go. Give it a throw-away database. Every `act` below is a request of its own, in a
 * process of its own; a receiver stands where Homeward would.
 */

$wordpress = $argv[1] ?? exit( "usage: php try.php FOLDER\n" );
if ( isset( $argv[2] ) ) {
	act( $wordpress, $argv[2], json_decode( $argv[3], true ) );
	exit;
}

$dir  = sys_get_temp_dir() . '/homeward-try-' . bin2hex( random_bytes( 4 ) );
$port = 20000 + getmypid() % 20000;
mkdir( $dir );
putenv( "DIR=$dir" );
putenv( "PORT=$port" );
putenv( 'PHP_CLI_SERVER_WORKERS=4' );
$receiver = proc_open( [ PHP_BINARY, '-S', "127.0.0.1:$port", __DIR__ . '/receiver.php' ], [ 1 => [ 'file', '/dev/null', 'w' ], 2 => [ 'file', '/dev/null', 'w' ] ], $pipes );
while ( ! @fsockopen( '127.0.0.1', $port ) ) {
	usleep( 20000 );
}
$failed = 0;
try {
	all();
} finally {
	proc_terminate( $receiver );
	array_map( 'unlink', glob( "$dir/*" ) );
	rmdir( $dir );
}
echo $failed ? "$failed failed\n" : "all hold\n";
exit( $failed ? 1 : 0 );

/** What the plugins promise. */
function all(): void {
	request( 'forget' );
	$login = 'try' . bin2hex( random_bytes( 3 ) );
	$user  = [ 'username' => $login, 'email' => "$login@example.com", 'password' => 'never-on-the-wire', 'first_name' => 'Zoë', 'roles' => [ 'author' ], 'meta' => [ 'employee_id' => '007' ] ];
	$id    = request( 'rest', [ 'POST', '/wp/v2/users', $user ] )['data']['id'];

	$event = the_only( 'a new user is one event with its final roles and meta' );
	$body  = json_decode( $event['body'] );
	same( [ 'user.created', $id, [ 'author' ], '007', 'Zoë' ], [ $body->type, $body->user_id, $body->user->roles, $body->user->meta->employee_id, $body->user->meta->first_name ], 'and says who it is' );
	same( [ 'id', 'type', 'occurred_at', 'site', 'actor', 'user_id', 'user', 'previous', 'sources' ], array_keys( (array) $body ), 'and has the documented form' );
	same( [ 'id', 'username', 'email', 'slug', 'name', 'url', 'roles', 'registered_date', 'meta' ], array_keys( (array) $body->user ), 'and so has the user in it' );
	same( true, $body->previous instanceof stdClass && [] === (array) $body->previous, 'and nothing was before' );
	same( false, strpos( $event['body'], 'never-on-the-wire' ) || strpos( $event['body'], '$wp$' ) || strpos( $event['body'], '$P$' ), 'and no password is in it' );

	request( 'rest', [ 'POST', "/wp/v2/users/$id", [ 'email' => "new-$login@example.com" ] ] );
	same( [ 'email' => "$login@example.com" ], previous( 'a change over REST is one event' ), 'and tells the old address' );
	request( 'rest', [ 'POST', "/wp/v2/users/$id", [] ] );
	same( [], previous( 'saving without a change is one event' ), 'in which nothing was before' );
	request( 'rest', [ 'POST', "/wp/v2/users/$id", [ 'roles' => [ 'editor' ] ] ] );
	same( [ 'editor' ], json_decode( the_only( 'new roles are one event' )['body'] )->user->roles, 'and never the moment without any' );
	request( 'call', [ 'update_user_meta', $id, 'employee_id', '008' ] );
	same( '008', json_decode( the_only( 'a changed meta key is one event' )['body'] )->user->meta->employee_id, 'and tells its value' );
	request( 'call', [ 'do_action', 'profile_update', $id ] );
	same( [], previous( 'a plugin that fires profile_update without the old user is one event' ), 'in which nothing was before' );
	request( 'call', [ 'update_user_meta', $id, 'favourite_colour', 'red' ] );
	same( [], deliveries(), 'a meta key that nobody asked for is none' );
	request( 'call', [ 'wp_set_password', 'another', $id ] );
	same( [], array_filter( deliveries(), fn( $d ) => strpos( $d['body'], '"sql"' ) ), 'a new password is not read from the table' );

	$renames = [
		"UPDATE {users} SET user_login = '$login.a' WHERE user_login = '$login'"                     => [ 'username' => $login ],
		"UPDATE `{users}` SET `user_login` = '$login.b', `display_name` = 'a WHERE 1=1 UNION SELECT SLEEP(9) -- ' WHERE `ID` = $id" => [ 'username' => "$login.a", 'name' => 'Zoë' ],
		"UPDATE {users} SET display_name = 'it\\'s me WHERE user_login = \\'siteadmin' WHERE ID = $id" => [ 'name' => "a WHERE 1=1 UNION SELECT SLEEP(9) -- " ],
		"update {users} set user_nicename = '$login-c' where ID = '$id' LIMIT 1;"                    => [ 'slug' => $login ],
		"UPDATE {users} SET user_nicename = '$login-d' WHERE user_login = '$login.b' AND user_nicename = '$login-c'" => [ 'slug' => "$login-c" ],
		"UPDATE {users} SET user_login = CONCAT(user_login, '2') WHERE ID IN ($id) AND ID > 0"       => [ 'username' => "$login.b" ],
		"UPDATE {users} u JOIN {usermeta} m ON m.user_id = u.ID AND m.meta_key = 'employee_id' SET u.user_email = '$login@example.net' WHERE u.ID = $id" => [ 'email' => "new-$login@example.com" ],
	];
	foreach ( $renames as $statement => $before ) {
		request( 'sql', [ $statement ] );
		same( $before, previous( "renamed by: $statement" ), 'and tells what was before' );
	}
	request( 'sql', [ "UPDATE {users} SET user_login = user_login WHERE ID = $id" ] );
	same( [], deliveries(), 'a statement that changes nothing is no event' );
	request( 'sql', [ "UPDATE {users} SET user_login = '$login' WHERE ID = $id", "UPDATE {users} SET user_login = '$login.b2' WHERE ID = $id" ] );
	same( [], deliveries(), 'a rename that is taken back is no event' );

	answers( 500, 204 );
	request( 'call', [ 'update_user_meta', $id, 'employee_id', '009' ] );
	$first = the_only( 'an event that is refused with 500' );
	request( 'call', [ 'update_user_meta', $id, 'employee_id', '010' ] );
	same( [], deliveries(), 'waits a while, and those behind it with it' );
	same( true, is_int( request( 'later' ) ), 'but WP-Cron knows when' );
	$again = deliveries();
	same( [ '009', '010' ], array_map( fn( $d ) => json_decode( $d['body'] )->user->meta->employee_id, $again ), 'and comes again, in order' );
	same( [ $first['id'], $first['body'] ], [ $again[0]['id'], $again[0]['body'] ], 'as the same event' );
	same( 0, request( 'waiting' ), 'and nothing is left' );

	answers( 400, 204 );
	request( 'call', [ 'update_user_meta', $id, 'employee_id', '011' ] );
	the_only( 'an event that is refused for good' );
	request( 'call', [ 'update_user_meta', $id, 'employee_id', '012' ] );
	the_only( 'does not hold up the next' );
	foreach ( [ 302, 401, 404, 429, 503 ] as $status ) {
		answers( $status );
		request( 'call', [ 'update_user_meta', $id, 'employee_id', "s$status" ] );
		same( [ 1, 1 ], [ count( deliveries() ), request( 'waiting' ) ], "answered with $status it waits" );
		request( 'later' );
		same( [ 1, 0 ], [ count( deliveries() ), request( 'waiting' ) ], 'and comes again' );
	}
	answers( ...array_fill( 0, 8, 500 ) );
	request( 'call', [ 'update_user_meta', $id, 'employee_id', '013' ] );
	for ( $try = 2; $try <= 8; $try++ ) {
		request( 'later' );
	}
	same( [ 8, 0 ], [ count( deliveries() ), request( 'waiting' ) ], 'an event that breaks the receiver is given up after eight tries' );

	$acts = array_map( fn( $n ) => start( 'call', [ 'update_user_meta', $id, "employee_id", "at-once-$n" ] ), range( 1, 12 ) );
	array_map( 'finish', $acts );
	$ids = array_column( deliveries(), 'id' );
	same( [ 12, 12, 0 ], [ count( $ids ), count( array_unique( $ids ) ), request( 'waiting' ) ], 'twelve requests at once: every event once, none left' );

	$reader = request( 'reader', [ "reader-$login" ] );
	request( 'forget' );
	deliveries();
	$read = fn( $method, $route, $params = [], $headers = [] ) => request( 'rest', [ $method, $route, $params, $reader ] );
	$list = $read( 'GET', '/wp/v2/users', [ 'context' => 'edit', 'per_page' => 100 ] );
	same( [ 200, true ], [ $list['status'], count( $list['data'] ) === (int) $list['headers']['X-WP-Total'] ], 'the reader sees the whole list' );
	same( [ 200, 200 ], [ $read( 'GET', "/wp/v2/users/$id", [ 'context' => 'edit' ] )['status'], $read( 'GET', '/wp/v2/users/me', [ 'context' => 'edit' ] )['status'] ], 'and single users' );
	$refused = [ $read( 'POST', "/wp/v2/users/$id", [ 'first_name' => 'x' ] ), $read( 'DELETE', "/wp/v2/users/$id", [ 'force' => true, 'reassign' => 1 ] ), $read( 'POST', '/wp/v2/users', [ 'username' => 'x', 'email' => 'x@example.com', 'password' => 'x' ] ), $read( 'GET', "/wp/v2/users/$id/application-passwords" ), $read( 'GET', '/wp/v2/settings' ), $read( 'POST', '/wp/v2/users/me', [ 'password' => 'x' ] ), $read( 'POST', "/wp/v2/users/$reader/application-passwords", [ 'name' => 'x' ] ) ];
	same( array_fill( 0, 7, 403 ), array_column( $refused, 'status' ), 'and nothing else' );
	same( [], deliveries(), 'and changes nothing' );
	request( 'call', [ 'wp_delete_user', $reader, 1 ] );
	the_only( 'the reader is deleted' );

	request( 'call', [ 'wp_delete_user', $id, 1 ] );
	$body = json_decode( the_only( 'a deleted user is one event' )['body'] );
	same( [ 'user.deleted', "$login.b2", [ 'editor' ] ], [ $body->type, $body->user->username, $body->user->roles ], 'with its last state' );
	request( 'came_and_went', [ "brief-$login" ] );
	same( [], deliveries(), 'who comes and goes in one request is none' );
}

/** One request to WordPress; prints its outcome as JSON. */
function act( string $wordpress, string $what, array $with ): void {
	define( 'HOMEWARD_URL', 'http://127.0.0.1:' . getenv( 'PORT' ) . '/' );
	define( 'HOMEWARD_SECRET', 'whsec_aG9tZXdhcmQtdGVzdC1zZWNyZXQtbm90LXJlYWwtMTI=' );
	define( 'WPMU_PLUGIN_DIR', dirname( __DIR__ ) . '/mu-plugins' );
	define( 'DISABLE_WP_CRON', true );
	ini_set( 'error_log', '/dev/null' );
	$_SERVER += [ 'HTTP_HOST' => 'localhost', 'REQUEST_METHOD' => 'GET' ];
	require "$wordpress/wp-load.php";
	require_once ABSPATH . 'wp-admin/includes/user.php';
	error_reporting( E_ALL & ~E_DEPRECATED );
	global $wpdb;
	add_filter( 'pre_wp_mail', '__return_true' );
	wp_set_current_user( 'rest' === $what ? $with[3] ?? 1 : 1 );
	$outcome = null;
	switch ( $what ) {
		case 'rest':
			$request = new WP_REST_Request( $with[0], $with[1] );
			array_map( [ $request, 'set_param' ], array_keys( $with[2] ), $with[2] );
			$answer  = rest_do_request( $request );
			$outcome = [ 'status' => $answer->get_status(), 'headers' => $answer->get_headers(), 'data' => $answer->get_data() ];
			break;
		case 'call':
			$with[0]( ...array_slice( $with, 1 ) );
			break;
		case 'sql':
			foreach ( $with as $statement ) {
				$wpdb->query( strtr( $statement, [ '{users}' => $wpdb->users, '{usermeta}' => $wpdb->usermeta ] ) );
			}
			break;
		case 'later': // the pause is over, and WP-Cron runs what is due; a lease, which is longer than ten digits, stays
			$wpdb->query( "UPDATE $wpdb->options SET option_value = '0' WHERE option_name = 'homeward_not_before' AND LENGTH(option_value) = 10" );
			$outcome = wp_next_scheduled( 'homeward_deliver_later' );
			do_action( 'homeward_deliver_later' );
			break;
		case 'waiting':
			$outcome = (int) $wpdb->get_var( "SELECT COUNT(*) FROM $wpdb->options WHERE option_name LIKE 'homeward\\_event\\_%'" );
			break;
		case 'forget':
			$wpdb->query( "DELETE FROM $wpdb->options WHERE option_name LIKE 'homeward\\_event\\_%' OR option_name = 'homeward_not_before'" );
			break;
		case 'reader':
			$outcome = wp_insert_user( [ 'user_login' => $with[0], 'user_pass' => wp_generate_password(), 'user_email' => "{$with[0]}@example.com", 'role' => 'homeward_reader' ] );
			break;
		case 'came_and_went':
			wp_delete_user( wp_insert_user( [ 'user_login' => $with[0], 'user_pass' => 'x', 'user_email' => "{$with[0]}@example.com" ] ), 1 );
			break;
	}
	echo "\x01", json_encode( $outcome );
}

function start( string $what, array $with = [] ) {
	global $wordpress;
	$process = proc_open( [ PHP_BINARY, __FILE__, $wordpress, $what, json_encode( $with ) ], [ 1 => [ 'pipe', 'w' ] ], $pipes );
	return [ $process, $pipes[1] ];
}

function finish( array $started ) {
	$said = stream_get_contents( $started[1] );
	$code = proc_close( $started[0] );
	if ( 0 !== $code ) {
		throw new RuntimeException( "a request ended with $code: $said" );
	}
	return json_decode( substr( $said, strpos( $said, "\x01" ) + 1 ), true );
}

function request( string $what, array $with = [] ) {
	return finish( start( $what, $with ) );
}

function answers( int ...$statuses ): void {
	global $dir;
	file_put_contents( "$dir/answers", implode( "\n", $statuses ) );
}

/** Takes what has been delivered since the last time. */
function deliveries(): array {
	global $dir;
	$lines = is_file( "$dir/deliveries" ) ? file( "$dir/deliveries" ) : [];
	file_put_contents( "$dir/deliveries", '' );
	return array_map( fn( $line ) => json_decode( $line, true ), $lines );
}

function the_only( string $statement ): array {
	$deliveries = deliveries();
	same( [ true ], array_column( $deliveries, 'genuine' ), $statement );
	return $deliveries[0] ?? [ 'id' => null, 'body' => '{}' ];
}

function previous( string $statement ): array {
	return (array) ( json_decode( the_only( $statement )['body'] )->previous ?? [ 'no event' ] );
}

function same( $expected, $found, string $statement ): void {
	global $failed;
	$holds = $expected === $found;
	echo $holds ? 'ok    ' : 'FAIL  ', $statement, "\n";
	if ( ! $holds ) {
		$failed++;
		echo '      expected ', json_encode( $expected ), "\n      found    ", json_encode( $found ), "\n";
	}
}
