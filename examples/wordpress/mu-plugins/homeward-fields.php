<?php
/**
 * Plugin Name: Homeward: fields
 * Description: Shows the employee number of a user over REST, to those who may edit this user and to nobody else.
 *
 * An example. Where your site keeps such a number under another key, write that one; where it keeps none, leave this
 * file out. With `'show_in_rest' => true` alone, everybody could read it, without signing in.
 */

namespace Homeward;

add_action(
	'init',
	function () {
		register_meta(
			'user',
			'employee_id',
			[
				'type'          => 'string',
				'single'        => true,
				'default'       => '',
				'show_in_rest'  => [ 'schema' => [ 'type' => 'string', 'context' => [ 'edit' ] ] ],
				// Else users could give themselves another number, in their own profile over REST.
				'auth_callback' => fn() => current_user_can( 'edit_users' ),
			]
		);
	}
);
