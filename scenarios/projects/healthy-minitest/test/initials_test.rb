require 'minitest/autorun'
require 'initials'

class InitialsTest < Minitest::Test
  def test_two_names
    assert_equal 'AL', initials('ada lovelace')
  end

  def test_empty
    assert_equal '', initials('')
  end
end
