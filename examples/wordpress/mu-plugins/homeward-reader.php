<?php
/**
 * Plugin Name: Homeward: reader
 * Description: The role homeward_reader: reads all users over REST, completely, and can do nothing else.
 *
 * WordPress shows a user's address, login and roles only to those who may also edit the user, and whoever may edit
 * users may set an administrator's password. So this role has one capability of its own, which WordPress does not know.
 * The two rights that reading needs are lent to it while a GET or HEAD of the users is answered, and taken back before
 * anything else happens. Without this file the role can do nothing at all.
 *
 * For WordPress 6.1 and newer, PHP 7.4 and newer, single sites.
 */

namespace Homeward;

if ( ! defined( 'ABSPATH' ) || wp_installing() ) {
	return;
}

final class Reader {
	private const ROLE       = 'homeward_reader';
	private const CAPABILITY = 'homeward_read_users';

	/** The list, one user, and the account itself; not what lies below a user, such as application passwords. */
	private const ROUTES = '#^/wp/v2/users(?:/(?:\d+|me))?/?$#';

	private static bool $reading = false;

	public static function open(): void {
		add_action( 'init', fn() => get_role( self::ROLE ) || add_role( self::ROLE, 'Homeward reader', [ self::CAPABILITY => true ] ) );
		add_filter( 'rest_request_before_callbacks', [ self::class, 'begin' ], PHP_INT_MAX, 3 );
		add_filter( 'rest_request_after_callbacks', [ self::class, 'end' ], PHP_INT_MIN );
		add_filter( 'user_has_cap', [ self::class, 'lend' ] );
		add_filter( 'map_meta_cap', [ self::class, 'guard' ], 10, 3 );
	}

	/** The method is that of the request as it is carried out: one that overrides GET has been obeyed by now. */
	public static function begin( $response, $handler, $request ) {
		self::$reading = in_array( $request->get_method(), [ 'GET', 'HEAD' ], true ) && preg_match( self::ROUTES, $request->get_route() );
		return $response;
	}

	public static function end( $response ) {
		self::$reading = false;
		return $response;
	}

	public static function lend( $has ) {
		return self::$reading && ! empty( $has[ self::CAPABILITY ] ) ? [ 'list_users' => true, 'edit_users' => true ] + $has : $has;
	}

	/** WordPress lets everybody edit themselves: the own password, new application passwords. Not this role. */
	public static function guard( $needs, $capability, $user ) {
		return [] === $needs && 'edit_user' === $capability && user_can( $user, self::CAPABILITY ) ? [ 'edit_users' ] : $needs;
	}
}

Reader::open();
