require 'minitest/autorun'
require 'total'

class TotalTest < Minitest::Test
  def test_sum
    assert_equal 3, total([{ price: 1 }, { price: 2 }])
  end

  def test_quantity
    assert_equal 4, total([{ price: 2, quantity: 2 }])
  end
end
